"""An agent made of one function and a card, by the words of the protocol."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from a2a.types.a2a_pb2 import CancelTaskRequest, GetTaskRequest, Message, Part, Role, TaskState
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

from specialist_agents import pieces
from specialist_agents.cards import at_address
from specialist_agents.server import CannotServe, bound
from specialist_agents.template import Failure, File, Question, Request, create_app
from specialist_agents.template.serving import whole_card
from specialist_agents.testing import connected, hosting, send, task_of

ROOT = Path(__file__).parents[2]
CARD = {
    "name": "one",
    "description": "Does one thing.",
    "skills": [{"id": "one", "name": "One", "description": "It.", "tags": ["t"]}],
}


@asynccontextmanager
async def serving(answer, **how):
    """A client of the agent that answers with *answer*."""
    with bound("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with (
            hosting(create_app(answer, at_address(whole_card(CARD), url)), listening),
            connected(url, **how) as client,
        ):
            yield client


def saying(*parts, **fields):
    made = [Part(text=part) if isinstance(part, str) else part for part in parts]
    return Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=made, **fields)


def state_of(task):
    return TaskState.Name(task.status.state).removeprefix("TASK_STATE_")


def said(task):
    return task.status.message.parts[0].text


def parts_of(task):
    return [MessageToDict(part) for artifact in task.artifacts for part in artifact.parts]


async def asked(answer, *parts, **how):
    """What becomes of one message."""
    async with serving(answer, **how) as client:
        return task_of(await send(client, saying(*parts or ("hello",))))


async def shout(request: Request) -> str:
    return request.text.upper()


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])
async def test_it_answers_on_every_binding_and_version(binding, version, streaming):
    task = await asked(shout, "hello", "you", binding=binding, version=version, streaming=streaming)
    assert state_of(task) == "COMPLETED"
    assert [part["text"] for part in parts_of(task)] == ["HELLO\nYOU"]


async def test_the_function_sees_text_data_and_files_apart():
    seen = []

    async def look(request):
        seen.append(request)
        return "seen"

    data = Part(data=ParseDict({"limit": "3"}, Value()))
    file = Part(raw=b"\x00", filename="a.bin", media_type="image/png")
    await asked(look, "one", data, file, Part(text="# b", filename="b.md", media_type="text/markdown"), "two")
    assert (seen[0].text, seen[0].data, seen[0].replies) == ("one\ntwo", ({"limit": "3"},), ())
    assert seen[0].files == (File("a.bin", b"\x00", "image/png"), File("b.md", b"# b", "text/markdown"))


async def test_what_it_returns_becomes_the_parts_of_one_artifact():
    async def answer(_):
        return ["a text", {"a": ["object"]}, File("a.csv", b"1,2", "text/csv")]

    task = await asked(answer)
    assert len(task.artifacts) == 1
    assert parts_of(task) == [
        {"text": "a text", "mediaType": "text/plain"},
        {"data": {"a": ["object"]}, "mediaType": "application/json"},
        {"raw": "MSwy", "filename": "a.csv", "mediaType": "text/csv"},
    ]


async def test_pieces_are_streamed_and_the_whole_is_one_text(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_INTERVAL_S", 0.0)

    async def answer(_):
        for word in ("one ", "two ", "three"):
            yield word

    async with serving(answer) as client:
        events = await send(client, saying("hello"))
        task = await client.get_task(GetTaskRequest(id=events[0].task.id))
    updates = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [(update.artifact.parts[0].text, update.append, update.last_chunk) for update in updates] == [
        ("one ", False, False),
        ("two ", True, False),
        ("three", True, False),
        ("one two three", False, True),
    ]
    assert [part["text"] for part in parts_of(task)] == ["one two three"]


async def test_progress_is_told_while_it_works():
    async def answer(request):
        await request.progress("half way")
        return "done"

    async with serving(answer) as client:
        events = await send(client, saying("hello"))
    told = [event.status_update.status for event in events if event.HasField("status_update")]
    assert "half way" in [status.message.parts[0].text for status in told if status.message.parts]
    assert {TaskState.Name(status.state) for status in told} == {"TASK_STATE_WORKING", "TASK_STATE_COMPLETED"}


async def test_a_question_is_asked_and_the_function_is_called_again_with_the_reply():
    async def answer(request):
        if len(request.replies) < 2:
            raise Question(f"question {len(request.replies) + 1}?")
        return " ".join([request.text, *request.replies])

    async with serving(answer) as client:
        task = task_of(await send(client, saying("begin")))
        assert (state_of(task), said(task)) == ("INPUT_REQUIRED", "question 1?")
        on = {"task_id": task.id, "context_id": task.context_id}
        first = saying("one", **on)
        for _ in range(2):  # the second is the same message again: no second reply
            await send(client, first)
            task = await client.get_task(GetTaskRequest(id=task.id))
            assert (state_of(task), said(task)) == ("INPUT_REQUIRED", "question 2?")
        await send(client, saying("two", **on))
        task = await client.get_task(GetTaskRequest(id=task.id))
    assert (state_of(task), parts_of(task)[0]["text"]) == ("COMPLETED", "begin one two")


@pytest.mark.parametrize(
    ("error", "words"),
    [(Failure("no paper left"), "no paper left"), (KeyError("secret"), "the agent failed: KeyError")],
    ids=["a failure", "a bug"],
)
async def test_what_goes_wrong_fails_the_task_in_words(error, words, caplog):
    async def answer(_):
        raise error

    task = await asked(answer)
    assert (state_of(task), said(task)) == ("FAILED", words)
    assert ("secret" in caplog.text) == isinstance(error, KeyError)


@pytest.mark.parametrize("returned", [None, 3, [3], b"raw"], ids=repr)
async def test_what_is_no_answer_fails_the_task(returned):
    async def answer(_):
        return returned

    task = await asked(answer)
    assert (state_of(task), said(task)) == ("FAILED", "the agent failed: TypeError")


async def test_a_piece_that_is_no_text_fails_the_task():
    async def answer(_):
        yield 3

    assert state_of(await asked(answer)) == "FAILED"


async def test_a_cancel_reaches_the_function():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(_):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(answer, polling=True, streaming=False) as client:
        task = task_of(await send(client, saying("hello")))
        await begun.wait()
        canceled = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert state_of(canceled) == "CANCELED"
        async with asyncio.timeout(10):
            await ended.wait()


async def test_a_message_that_comes_twice_is_answered_once():
    calls = []

    async def answer(request):
        calls.append(request.text)
        return "done"

    async with serving(answer) as client:
        message = saying("hello")
        first, second = [task_of(await send(client, message)) for _ in range(2)]
    assert first.id == second.id
    assert calls == ["hello"]


async def test_a_message_without_parts_is_refused():
    async with serving(shout) as client:
        with pytest.raises(InvalidParamsError):
            await send(client, saying(*[]))


def test_a_card_is_filled_in():
    card = whole_card(CARD)
    offered = {(one.protocol_binding, one.protocol_version) for one in card.supported_interfaces}
    assert offered == {(binding, version) for binding in ("JSONRPC", "HTTP+JSON") for version in ("1.0", "0.3")}
    assert card.capabilities.streaming
    assert whole_card({**CARD, "version": "7"}).version == "7"


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({}, "lacks name, description, skills"),
        ({**CARD, "skill": 1}, "this is not an Agent Card"),
        ({**CARD, "name": 1}, "this is not an Agent Card"),
        (Path("nowhere.json"), "nowhere.json: this is not an Agent Card"),
    ],
    ids=["nothing", "an unknown field", "a wrong one", "no file"],
)
def test_a_card_that_is_none_is_told(card, why):
    with pytest.raises(CannotServe, match=why):
        whole_card(card)


def test_what_cannot_be_served_ends_the_program_with_one_line(tmp_path):
    script = tmp_path / "agent.py"
    script.write_text("from specialist_agents.template import serve\nserve(print, {'name': 'x'})\n")
    ended = subprocess.run(
        [sys.executable, script, "--port", "0"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == "the Agent Card lacks description, skills\n"
