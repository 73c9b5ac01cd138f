"""What `answer` and `tasks --waiting` do, once their options are read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import cast

from a2a.types.a2a_pb2 import Part, Task, TaskState
from rich.text import Text

from coordinator.cli.answers import Given, answering, chosen, matched
from coordinator.cli.asking import found
from coordinator.cli.carry import Form, print_result
from coordinator.cli.client import Connection, Target, connect
from coordinator.cli.dialogue import Dialogue, leave_waiting
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.follow import attached, follow, sending
from coordinator.cli.questions import WAITING, questions_of, waiting_table
from coordinator.cli.tables import state_words
from coordinator.cli.terminal import note, printable, say, say_json
from coordinator.cli.view import TaskView

VERDICT_S = 3.0
"""How long an answer that was taken is stayed with: who cannot use it mostly says so at once."""


async def answer(target: Target, prefix: str, given: Given, form: Form) -> ExitCode:
    """Answer questions of a task and say what it does then: whether it goes on, or asks again and why."""
    view = TaskView()
    async with connect(target) as connection:
        view.task = await found(connection, prefix)
        if not view.questions:
            raise Stop(f"task {view.task.id} is {state_words(view.state)}: it asks nothing")
        answers = await _answers(connection, view, given, form)
        if answers:
            with sending():
                view.apply(await connection.hand_over(answering(view.task, answers, detach=True)))
            await _stay(connection, view)
            for problem in view.problems:
                note(Text(printable(problem), style="yellow"))
    if form.as_json or view.questions or not answers:
        return print_result(view, form)
    say(Text(f"task {printable(view.task.id)} is {state_words(view.state)}"))
    # What still asks was printed above, so what is settled here has ended.
    advice = "see what came of it with: coordinator show" if view.is_settled else "follow it with: coordinator watch"
    note(Text(f"{advice} {printable(view.task.id)}"))
    return view.exit_code


async def _stay(connection: Connection, view: TaskView) -> None:
    """Stay with the task for a moment, unless it is settled: a specialist that asks again has to be heard."""
    if view.is_settled:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(VERDICT_S):
            await follow(connection, attached(connection, view.task.id), view, lambda _: None)


async def _answers(connection: Connection, view: TaskView, given: Given, form: Form) -> dict[str, list[Part]]:
    asked = view.questions if given.number is None else [chosen(given.number, view.questions)]
    if not given.is_nothing:
        return matched(given, view.questions)
    if not form.asks:
        return {}
    try:
        return await Dialogue(connection, view, asks=True).ask(asked)
    except asyncio.CancelledError:
        leave_waiting(view)
        raise


async def waiting(target: Target, form: Form, limit: int) -> ExitCode:
    """Show which tasks wait for an answer, and to what."""
    tasks: list[Task] = []
    async with connect(target) as connection:
        for state in WAITING:
            wanted = cast(TaskState, TaskState.Value(state))
            async with aclosing(connection.tasks(wanted)) as listed:
                async for task in listed:
                    if len(tasks) >= limit:
                        break
                    tasks.append(task)
    if form.as_json:
        say_json({"waiting": [_told(task) for task in tasks]})
    elif tasks:
        say(waiting_table(tasks))
    else:
        note("nothing waits for an answer")
    return ExitCode.OK


def _told(task: Task) -> dict[str, object]:
    view = TaskView(task=task)
    asked = [question.told for question in questions_of(task)]
    return {"taskId": task.id, "contextId": task.context_id, "state": view.state, "questions": asked}
