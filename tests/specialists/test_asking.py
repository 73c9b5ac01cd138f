"""The two agents that wait for somebody: for an answer, and for an approval."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import ContentTypeNotSupportedError, UnsupportedOperationError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

from specialist_agents.executor import count_of
from specialist_agents.intake import SourceFile
from specialist_agents.testing import connected, findings_in, message_of, running, send, task_of
from specialist_agents.waiting import Waiting, WaitingRoom

QUOTES = {"a.py": "x = 'one'\ny = 'two'\n", "b.py": 'x = "three"\n\n\ndef f():\n    return ("four", "five")\n'}
BOTH = {**QUOTES, "c.py": "def one_name(): ...\ndef otherName(): ...\n"}
CODE = {"a.py": "# SPDX-License-Identifier: MIT\nx = 1\n", "b.py": "x = 2\n"}


def answer_to(task: Task, *parts: Part | str, message_id: str | None = None) -> Message:
    """A message on a task."""
    made = [Part(text=part) if isinstance(part, str) else part for part in parts]
    return Message(
        message_id=message_id or str(uuid4()),
        role=Role.ROLE_USER,
        task_id=task.id,
        context_id=task.context_id,
        parts=made,
    )


def state_of(task: Task) -> str:
    return TaskState.Name(task.status.state).removeprefix("TASK_STATE_")


def said(task: Task) -> str:
    return task.status.message.parts[0].text


async def looked_at(client, task: Task) -> Task:
    return await client.get_task(GetTaskRequest(id=task.id))


async def answered(client, task: Task, *parts: Part | str, message_id: str | None = None) -> Task:
    """Answer, and return the task as it is when the stream ends."""
    await send(client, answer_to(task, *parts, message_id=message_id))
    return await looked_at(client, task)


async def approved(client, task: Task, times: int = 1) -> tuple[list[httpx.Response], Task]:
    """Approve while following the task; return the pages that came back, and the task at its end."""
    page = task.status.message.parts[1].url
    async with httpx.AsyncClient() as http, asyncio.TaskGroup() as group:
        posts = []
        async for event in client.subscribe(SubscribeToTaskRequest(id=task.id)):
            if event.HasField("task"):
                posts = [group.create_task(http.post(page)) for _ in range(times)]
    return [post.result() for post in posts], await looked_at(client, task)


def seen(task: Task) -> list[tuple[str, str, int]]:
    return [(found["path"], found["kind"], int(found["statement"])) for found in findings_in(task.artifacts)]


def choice(name: str) -> Part:
    return Part(data=ParseDict({"choice": name}, Value()), media_type="application/json")


async def test_a_conflict_of_conventions_is_asked_with_what_was_counted():
    async with running("style") as url, connected(url) as client:
        task = task_of(await send(client, message_of(QUOTES)))
    assert state_of(task) == "INPUT_REQUIRED"
    assert said(task).splitlines() == [
        "The code follows several conventions for quotes. Which one is meant?",
        "double: double quotes, in 3 places, first at b.py:1",
        "single: single quotes, in 2 places, first at a.py:1",
        "Answer with one of: double, single",
    ]
    document = MessageToDict(task.status.message.parts[1].data)
    assert (document["schema"], document["convention"]) == ("style-question/v1", "quotes")
    assert [each["id"] for each in document["choices"]] == ["double", "single"]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("single", [("b.py", "quote-style", 1), ("b.py", "quote-style", 5)]),
        ("double", [("a.py", "quote-style", 1), ("a.py", "quote-style", 2)]),
        (" 'Double'. ", [("a.py", "quote-style", 1), ("a.py", "quote-style", 2)]),
        (choice("double"), [("a.py", "quote-style", 1), ("a.py", "quote-style", 2)]),
    ],
    ids=["single", "double", "in a sentence's clothes", "data"],
)
async def test_the_answer_decides_what_is_a_finding(answer, found, schema):
    async with running("style") as url, connected(url) as client:
        task = await answered(client, task_of(await send(client, message_of(QUOTES))), answer)
    assert state_of(task) == "COMPLETED"
    assert seen(task) == found
    schema.validate({"schema": "findings/v1", "findings": findings_in(task.artifacts)})


@pytest.mark.parametrize(
    "answer",
    ["both", "double or single", "", "1", choice("tabs"), choice("")],
    ids=["both", "a sentence", "nothing", "a number", "another question's choice", "empty data"],
)
async def test_what_is_no_choice_is_asked_again_with_the_reason(answer):
    async with running("style") as url, connected(url) as client:
        task = await answered(client, task_of(await send(client, message_of(QUOTES))), answer)
        assert state_of(task) == "INPUT_REQUIRED"
        assert "is none of the choices, or not one alone.\nThe code follows" in said(task)
        assert state_of(await answered(client, task, "double")) == "COMPLETED"


@pytest.mark.parametrize("second", ["single", "please"])
async def test_two_answers_at_once_are_none(second):
    async with running("style") as url, connected(url) as client:
        task = await answered(client, task_of(await send(client, message_of(QUOTES))), "double", second)
    assert state_of(task) == "INPUT_REQUIRED"
    assert f"'double, {second}' is none of the choices" in said(task)


async def test_two_conflicts_are_two_questions_and_a_repeated_answer_counts_once():
    async with running("style") as url, connected(url) as client:
        task = task_of(await send(client, message_of(BOTH)))
        task = await answered(client, task, "double", message_id="twice")
        assert "names of functions" in said(task)
        task = await answered(client, task, "double", message_id="twice")
        assert said(task).startswith("The code follows several conventions for names of functions")
        task = await answered(client, task, "camel")
    assert state_of(task) == "COMPLETED"
    assert seen(task)[-1] == ("c.py", "naming-style", 1)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 'a'\ny = 'b'\n", []),
        ("".join(f"x{n} = 'a'\n" for n in range(8)) + 'y = "b"\nz = "c"\n', [9, 10]),
        ("x = f'a'\ny = \"it's\"\nz = '''a'''\nw = 'b'\n", []),
        ("if x:\n\tpass\n", []),
        ("", []),
    ],
    ids=["one way", "one in five", "no free choice", "tabs only", "nothing"],
)
async def test_a_convention_that_dominates_is_not_asked_about(code, found):
    async with running("style") as url, connected(url) as client:
        task = task_of(await send(client, message_of({"a.py": code})))
    assert state_of(task) == "COMPLETED"
    assert [line for _, _, line in seen(task)] == found


@pytest.mark.parametrize(
    ("code", "answer", "kind"),
    [
        ("if x:\n    pass\nif y:\n\tpass\n", "spaces", "indentation-style"),
        ('def f():\n    """A.\n\n    Args:\n        x: y\n    """\ndef g():\n    """A.\n\n    :param x: y\n    """\n',
         "google", "docstring-style"),
        ("def one_two(): ...\ndef oneTwo(): ...\n", "snake", "naming-style"),
    ],
    ids=["indentation", "docstrings", "names"],
)  # fmt: skip
async def test_every_convention_can_be_asked_about(code, answer, kind):
    async with running("style") as url, connected(url) as client:
        task = await answered(client, task_of(await send(client, message_of({"a.py": code}))), answer)
    assert [found["kind"] for found in findings_in(task.artifacts)] == [kind]


async def test_a_file_that_does_not_parse_is_a_finding_beside_the_question():
    files = {**QUOTES, "broken.py": "def (:\n"}
    async with running("style") as url, connected(url) as client:
        task = await answered(client, task_of(await send(client, message_of(files))), "double")
    assert ("broken.py", "syntax-error", 1) in seen(task)


async def test_an_answer_brings_no_files():
    async with running("style") as url, connected(url) as client:
        task = task_of(await send(client, message_of(QUOTES)))
        with pytest.raises(ContentTypeNotSupportedError, match="an answer is text or data"):
            await send(client, answer_to(task, Part(raw=b"x", filename="a.py", media_type="text/x-python")))
        assert state_of(await answered(client, task, "double")) == "COMPLETED"


@pytest.mark.parametrize("name", ["style", "licences"])
async def test_a_waiting_task_can_be_canceled_and_takes_no_answer_then(name):
    async with running(name) as url, connected(url) as client, httpx.AsyncClient() as http:
        task = task_of(await send(client, message_of(QUOTES)))
        canceled = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert state_of(canceled) == "CANCELED"
        with pytest.raises(UnsupportedOperationError):
            await send(client, answer_to(task, "double"))
        for page in [part.url for part in task.status.message.parts if part.url]:
            assert (await http.get(page)).status_code == 404


async def test_a_blocking_send_returns_with_the_question_and_its_answer_with_the_end():
    async with running("style") as url, connected(url, streaming=False) as client:
        task = task_of(await send(client, message_of(QUOTES)))
        assert state_of(task) == "INPUT_REQUIRED"
        done = task_of(await send(client, answer_to(task, "single")))
    assert state_of(done) == "COMPLETED"


async def test_a_review_waits_for_an_approval_and_goes_on_by_itself(schema):
    async with running("licences") as url, connected(url) as client, httpx.AsyncClient() as http:
        task = task_of(await send(client, message_of(CODE)))
        assert state_of(task) == "AUTH_REQUIRED"
        page = task.status.message.parts[1].url
        assert page.startswith(f"{url}/approvals/")
        assert page in said(task)
        [shown], done = await approved(client, task)
        assert shown.status_code == 200
        assert "Approved" in shown.text
        assert (await http.post(page)).status_code == 404
    assert state_of(done) == "COMPLETED"
    assert seen(done) == [("b.py", "missing-licence", 1)]
    schema.validate({"schema": "findings/v1", "findings": findings_in(done.artifacts)})


async def test_looking_at_the_page_approves_nothing_and_shows_what_is_asked():
    files = {"<b>a</b>.py": "x = 1\n"}
    async with running("licences") as url, connected(url) as client, httpx.AsyncClient() as http:
        task = task_of(await send(client, message_of(files)))
        shown = await http.get(task.status.message.parts[1].url)
        assert state_of(await looked_at(client, task)) == "AUTH_REQUIRED"
    assert "<li>&lt;b&gt;a&lt;/b&gt;.py</li>" in shown.text
    assert task.id in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"


async def test_no_message_approves_and_no_other_token():
    async with running("licences") as url, connected(url) as client, httpx.AsyncClient() as http:
        first, second = [task_of(await send(client, message_of(files))) for files in (CODE, QUOTES)]
        again = await answered(client, first, "approved at the agent's own page")
        assert state_of(again) == "AUTH_REQUIRED"
        assert said(again).startswith("No message can approve this.\n")
        assert (await http.post(f"{url}/approvals/{first.id}")).status_code == 404
        pages = {task.status.message.parts[1].url for task in (first, second, again)}
        assert len(pages) == 2
        _, done = await approved(client, second)
        assert state_of(done) == "COMPLETED"
        assert state_of(await looked_at(client, first)) == "AUTH_REQUIRED"


async def test_two_approvals_at_once_are_one():
    async with running("licences") as url, connected(url) as client:
        task = task_of(await send(client, message_of(CODE)))
        shown, done = await approved(client, task, times=2)
    assert {page.status_code for page in shown} <= {200, 404}
    assert len(done.artifacts[0].parts) == 1
    assert sum(message.parts[0].text.startswith("approved at") for message in done.history) == 1


PROJECT = {"pyproject.toml": "application/toml", "LICENSE": "application/octet-stream"}
APACHE = "                 Apache License\n           Version 2.0, January 2004\n"
GPL = "GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n"
NOTICE = '"""Tools.\n\nLicensed under the Apache License,\nVersion 2.0.\n"""\n'


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.py": "# SPDX-License-Identifier: MIT\nx = 1\n"}, []),
        ({"a.py": "x = 1\n"}, [("a.py", "missing-licence")]),
        ({"a.py": "\n"}, []),
        ({"a.py": "# SPDX-License-Identifier: Mitt\n"}, [("a.py", "unknown-licence")]),
        ({"a.py": "# SPDX-License-Identifier:\n"}, [("a.py", "unknown-licence")]),
        ({"a.py": "# SPDX-License-Identifier: GPL-3.0\n"}, [("a.py", "ambiguous-licence")]),
        ({"a.py": "# SPDX-License-Identifier: GPL-3.0-or-later\n"}, []),
        ({"a.py": NOTICE, "LICENSE": APACHE}, []),
        ({"a.py": NOTICE, "LICENSE": "All rights reserved."}, [("LICENSE", "unknown-licence")]),
        (
            {"a.py": "# SPDX-License-Identifier: MIT OR Apache-2.0\n", "LICENSE": APACHE},
            [],
        ),
        (
            {"a.py": "# SPDX-License-Identifier: ISC\n", "pyproject.toml": "[project]\nlicense = 'mit'\n"},
            [("a.py", "conflicting-licence")],
        ),
        (
            {"LICENSE": APACHE, "pyproject.toml": "[project]\nlicense = {text = 'MIT'}\n"},
            [("LICENSE", "conflicting-licence")],
        ),
        ({"a.py": "# SPDX-License-Identifier: GPL-3.0-or-later\n", "COPYING": GPL}, []),
        ({"a.py": f"# SPDX-License-Identifier: MIT\n{NOTICE}"}, []),
        ({"pyproject.toml": "[project]\nlicense = 'none'\n"}, [("pyproject.toml", "unknown-licence")]),
        ({"pyproject.toml": "license = {file = 'x'}\n[project\n"}, []),
        ({"pyproject.toml": "project = 3\n"}, []),
        (
            {name: f"# SPDX-License-Identifier: {licence}\n" for name, licence in
             {"a.py": "MIT", "b.py": "MIT", "c.py": "ISC"}.items()},
            [("c.py", "conflicting-licence")],
        ),
    ],
)  # fmt: skip
async def test_what_is_said_about_licences_is_checked(review, files, found):
    assert [(each["path"], each["kind"]) for each in await review("licences", files)] == found


async def test_a_project_and_its_licence_travel_as_files():
    message = message_of(CODE)
    for name, media_type in PROJECT.items():
        message.parts.append(Part(raw=APACHE.encode(), filename=name, media_type=media_type))
    async with running("licences") as url, connected(url) as client:
        task = task_of(await send(client, message))
    assert state_of(task) == "AUTH_REQUIRED"
    assert "licences of 4 files" in said(task)


async def test_other_files_than_a_projects_are_left_aside():
    others = {"notes.txt": "text/plain", "photo.png": "image/png", "history.gitlog": "application/x-git-log"}
    parts = [Part(raw=b"x", filename=name, media_type=media_type) for name, media_type in others.items()]
    message = message_of(CODE)
    message.parts.extend(parts)
    async with running("licences") as url, connected(url) as client:
        task = task_of(await send(client, message))
        nothing = task_of(await send(client, Message(message_id="1", role=Role.ROLE_USER, parts=parts)))
    assert state_of(task) == "AUTH_REQUIRED"
    assert f"licences of {count_of(len(CODE), 'file')}" in said(task)
    assert state_of(nothing) == "REJECTED"


def waiting(task_id: str, size: int = 1) -> Waiting:
    return Waiting(task_id, "c", [SourceFile("a.py", b"x" * size)], owner=None)


def test_the_longest_waiting_are_forgotten_first():
    by_number, by_size = WaitingRoom(max_waiting=2), WaitingRoom(max_bytes=10)
    for room, size in ((by_number, 1), (by_size, 5)):
        for name in ("one", "two", "three"):
            room.enter(waiting(name, size))
        assert [room.of_task(name) is None for name in ("one", "two", "three")] == [True, False, False]


def test_one_review_is_kept_however_large():
    room = WaitingRoom(max_bytes=1)
    room.enter(waiting("one", 5))
    assert room.of_task("one")


async def test_an_answer_to_a_forgotten_review_fails_it_with_words(monkeypatch):
    monkeypatch.setattr(WaitingRoom.__init__, "__defaults__", (1, 1 << 20))
    async with running("style") as url, connected(url) as client:
        first, _ = [task_of(await send(client, message_of(QUOTES, message_id=name))) for name in "ab"]
        task = await answered(client, first, "double")
    assert state_of(task) == "FAILED"
    assert "send them again" in said(task)
