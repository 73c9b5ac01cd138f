"""Coordinators in front of agents that ask, and clients that answer, all over loopback sockets."""

import re
from collections.abc import Iterable
from typing import Any

from a2a.types import a2a_pb2 as a2a

from coordinator.core.extension import ANSWER, QUESTIONS, URI
from coordinator.testing import Behaviour, Fleet, Script, Specialist, answers
from coordinator.wire import content_in, json_in, struct_out
from tests.planning.making import Document
from tests.protocol.clients import message

ACTIVE = {"A2A-Extensions": URI}
"""The header of a client that knows the extension."""


def asking(name: str, words: str = "", *then: Behaviour, end: str = "input_required") -> Specialist:
    """Return an agent that asks first, and does what *then* says when it is answered: by default it is done."""
    first = Behaviour(end=end, end_text=words or f"what does {name} need?", artifacts=())
    rest = then or (answering(name),)
    return Specialist(name, Script((first, *rest)))


def answering(name: str) -> Behaviour:
    """Return a behaviour that completes with a text of its own."""
    return Behaviour(artifacts=(answers.text(f"done by {name}"),))


def plan(agents: Iterable[str], **fields: Any) -> Document:
    """Return a plan with one stage over named agents."""
    stage = {"fan_out": {"to": {"agents": list(agents)}}, "merge": {"strategy": "concat"}}
    stage |= fields.pop("stage", {})
    return {"name": "ask", "description": "Asks.", "stages": {"work": stage}} | fields


def state(task: a2a.Task) -> str:
    """Return the state in a word."""
    return a2a.TaskState.Name(task.status.state).removeprefix("TASK_STATE_")


def words(task: a2a.Task) -> str:
    """Return the text of the status message."""
    return "\n".join(part.text for part in task.status.message.parts if part.text)


def numbers(task: a2a.Task) -> list[int]:
    """Return the numbers of the questions a person reads."""
    return [int(number) for number in re.findall(r"^(\d+)\. ", words(task), re.MULTILINE)]


def questions(task: a2a.Task) -> dict[str, dict[str, Any]]:
    """Return the questions as machines read them, by id."""
    documents = [json_in(part.data) for part in task.status.message.parts if QUESTIONS in part.metadata]
    return {question["id"]: question for document in documents for question in document["questions"]}


def by_agent(task: a2a.Task) -> dict[str, str]:
    """Return the id of the question each agent asks."""
    return {question["agent"]: id_ for id_, question in questions(task).items()}


def reply(task: a2a.Task, text: str, **fields: Any) -> a2a.Message:
    """Return a message of plain text on *task*."""
    return message(text, task_id=task.id, context_id=task.context_id, **fields)


def tagged(task: a2a.Task, **texts: str) -> a2a.Message:
    """Return a message that answers each agent's question with a text, tagged as machines do."""
    ids = by_agent(task)
    return parts_reply(task, *(part(text, ids[agent]) for agent, text in texts.items()))


def parts_reply(task: a2a.Task, *parts: a2a.Part) -> a2a.Message:
    """Return a message of these parts on *task*."""
    return message(parts=parts, task_id=task.id, context_id=task.context_id)


def part(text: str, question: str) -> a2a.Part:
    """Return a text tagged with the question it answers."""
    return a2a.Part(text=text, metadata=struct_out({ANSWER: question}))


def results(task: a2a.Task) -> list[Any]:
    """Return the content of the parts of all artifacts."""
    return [content_in(one).content for artifact in task.artifacts for one in artifact.parts]


def heard(fleet: Fleet, name: str) -> list[list[str]]:
    """Return the texts of every message an agent was sent, in order."""
    sends = [received for received in fleet[name].received if received.operation == "send"]
    return [[part.get("text", "") for part in received.params["message"]["parts"]] for received in sends]
