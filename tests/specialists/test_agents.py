"""Each reviewer end to end: a client of the SDK, a loopback socket, the real tool."""

import asyncio

import pytest
from a2a.types.a2a_pb2 import GetTaskRequest, ListTasksRequest, SendMessageConfiguration, SendMessageRequest, TaskState
from a2a.utils.errors import PushNotificationNotSupportedError, UnsupportedOperationError

from specialist_agents.reviewers import REVIEWERS, Way
from specialist_agents.testing import connected, findings_in, message_of, running, send, task_of
from specialist_agents.workshop import Limits

#: What each reviewer must see in the sample: (path, kind, symbol).
PLANTED = {
    "lint": {
        ("backup.py", "shell-injection", None),
        ("orders.py", "unused-import", "NamedTuple"),
        ("orders.py", "mutable-default", "basket"),
        ("orders.py", "complex-function", "shipping"),
        ("orders.py", "bare-except", None),
        ("users.py", "weak-hash", None),
    },
    "security": {
        ("backup.py", "shell-injection", None),
        ("orders.py", "eval-use", None),
        ("users.py", "sql-injection", None),
        ("users.py", "weak-hash", None),
    },
    "complexity": {("orders.py", "complex-function", "shipping")},
    "deadcode": {
        ("orders.py", "unused-import", "NamedTuple"),
        ("orders.py", "unused-function", "legacy_number"),
        ("report.py", "unreachable-code", None),
    },
    "types": {("orders.py", "type-mismatch", None), ("backup.py", "type-mismatch", None)},
}


def _seen(findings):
    return {(finding["path"], finding["kind"], finding.get("symbol")) for finding in findings}


@pytest.mark.parametrize("name", sorted(PLANTED))
async def test_a_reviewer_streams_what_is_planted_in_the_sample(name, sample, schema):
    async with running(name) as url, connected(url) as client:
        events = await send(client, message_of(sample))
    assert events[0].HasField("task")
    chunks = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [chunk.last_chunk for chunk in chunks] == [True]
    assert not chunks[0].append
    task = task_of(events)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert [(artifact.artifact_id, artifact.name) for artifact in task.artifacts] == [("findings", "findings")]
    findings = findings_in(task.artifacts)
    schema.validate({"schema": "findings/v1", "findings": findings})
    assert _seen(findings) >= PLANTED[name]


def test_the_sample_is_reviewed_by_every_reviewer_that_asks_nobody():
    assert sorted(PLANTED) == sorted(
        name for name, reviewer in REVIEWERS.items() if reviewer.way is Way.NOTHING and not reviewer.of_repository
    )


async def test_the_first_progress_says_how_many_files_and_which_tool(sample):
    async with running("lint") as url, connected(url) as client:
        events = await send(client, message_of(sample))
    working = next(event.status_update for event in events if event.HasField("status_update"))
    assert working.status.state == TaskState.TASK_STATE_WORKING
    assert working.status.message.parts[0].text.startswith("checking 4 files with ruff ")


async def test_a_polled_review_ends_as_a_streamed_one(sample):
    async with running("lint") as url:
        async with connected(url) as client:
            streamed = task_of(await send(client, message_of(sample)))
        async with connected(url, streaming=False, polling=True) as client:
            task = task_of(await send(client, message_of(sample)))
            while task.status.state != TaskState.TASK_STATE_COMPLETED:
                await asyncio.sleep(0.05)  # a poll's interval
                task = await client.get_task(GetTaskRequest(id=task.id))
    assert findings_in(task.artifacts) == findings_in(streamed.artifacts)


@pytest.mark.parametrize(("binding", "version"), [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3")])
async def test_every_interface_of_the_card_answers(binding, version):
    async with running("complexity") as url, connected(url, binding=binding, version=version) as client:
        task = task_of(await send(client, message_of({"a.py": "def (:"})))
    assert _seen(findings_in(task.artifacts)) == {("a.py", "syntax-error", None)}


async def test_a_blocking_send_returns_the_finished_task(sample):
    async with running("complexity") as url, connected(url, streaming=False) as client:
        events = await send(client, message_of(sample))
    assert events[-1].task.status.state == TaskState.TASK_STATE_COMPLETED
    assert events[-1].task.status.message.parts[0].text == "1 finding in 4 files"


async def test_nothing_found_is_one_document_with_an_empty_list():
    async with running("lint") as url, connected(url) as client:
        task = task_of(await send(client, message_of({"a.py": "x = 1\n"})))
    assert len(task.artifacts[0].parts) == 1
    assert findings_in(task.artifacts) == []


async def test_a_result_of_more_than_a_thousand_findings_comes_in_chunks():
    code = "".join(f"import module_{number}\n" for number in range(2_500))
    async with running("deadcode") as url, connected(url) as client:
        events = await send(client, message_of({"a.py": code}))
    chunks = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [(chunk.append, chunk.last_chunk) for chunk in chunks] == [(False, False), (True, False), (True, True)]
    assert [len(findings_in([chunk.artifact])) for chunk in chunks] == [1_000, 1_000, 500]
    assert {chunk.artifact.artifact_id for chunk in chunks} == {"findings"}


@pytest.mark.parametrize("name", sorted(PLANTED))
async def test_the_same_files_in_another_order_give_the_same_parts(name, sample):
    backwards = dict(reversed(sample.items()))
    async with running(name) as url, connected(url) as client:
        first, second = [task_of(await send(client, message_of(files))) for files in (sample, backwards)]
    assert first.artifacts == second.artifacts


@pytest.mark.parametrize("name", sorted(PLANTED))
async def test_a_file_that_does_not_parse_is_a_finding_and_the_others_are_reviewed(name, sample):
    files = {**sample, "broken.py": "import os\ndef f(:\n    pass\n"}
    async with running(name) as url, connected(url) as client:
        task = task_of(await send(client, message_of(files)))
    findings = findings_in(task.artifacts)
    broken = [finding for finding in findings if finding["path"] == "broken.py"]
    assert [(finding["kind"], finding["statement"]) for finding in broken] == [("syntax-error", 2)]
    assert _seen(findings) >= PLANTED[name]


@pytest.mark.parametrize("name", sorted(PLANTED))
async def test_code_nested_beyond_every_parser_is_a_finding_and_ends_no_review(name):
    files = {
        "chain.py": "x = " + "+".join(["1"] * 50_000),
        "signs.py": "x = " + "-" * 50_000 + "1",
        "sane.py": "x = " + "+".join(["1"] * 1_000),
    }
    async with running(name) as url, connected(url) as client:
        task = task_of(await send(client, message_of(files)))
    kinds = {finding["path"]: finding["kind"] for finding in findings_in(task.artifacts)}
    assert (kinds["chain.py"], kinds["signs.py"]) == ("not-reviewed", "not-reviewed")


async def test_a_message_without_python_files_is_rejected():
    message = message_of({})
    message.parts.add(text="please review my code")
    async with running("lint") as url, connected(url) as client:
        task = task_of(await send(client, message))
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert "nothing to review" in task.status.message.parts[0].text


async def test_a_task_is_listed_with_its_message_id_and_without_the_contents(sample):
    message = message_of(sample, message_id="look-me-up")
    message.parts.add(text="be kind")
    async with running("complexity") as url, connected(url) as client:
        await send(client, message)
        listed = await client.list_tasks(ListTasksRequest(history_length=100))
    history = listed.tasks[0].history
    assert history[0].message_id == "look-me-up"
    assert history[0].parts[0].text == "be kind"
    assert listed.ByteSize() < len(sample["orders.py"])


async def test_a_message_sent_again_is_answered_with_the_task_it_made(sample):
    message = message_of(sample, message_id="twice")
    async with running("complexity") as url:
        async with connected(url) as client:
            first = task_of(await send(client, message))
            again = task_of(await send(client, message_of(sample, message_id="twice")))
            other = task_of(await send(client, message_of(sample, message_id="another")))
        async with connected(url, streaming=False) as client:
            blocking = task_of(await send(client, message_of(sample, message_id="twice")))
    assert first.id == again.id == blocking.id != other.id
    assert first.artifacts == again.artifacts == blocking.artifacts


async def test_two_sends_of_one_message_at_once_make_one_task(sample):
    async with running("complexity") as url, connected(url) as streaming, connected(url, streaming=False) as blocking:
        async with asyncio.TaskGroup() as group:
            sends = [
                group.create_task(send(client, message_of(sample, message_id="race")))
                for client in (streaming, blocking, streaming, blocking)
            ]
        listed = await streaming.list_tasks(ListTasksRequest())
    assert {task_of(sent.result()).id for sent in sends} == {listed.tasks[0].id}
    assert listed.total_size == 1


async def test_one_message_id_with_other_content_is_another_message():
    async with running("complexity") as url, connected(url) as client:
        tasks = [
            task_of(await send(client, message_of({"a.py": content}, message_id="1"))) for content in ("x = 1", "x = 2")
        ]
    assert tasks[0].id != tasks[1].id


async def test_reviews_beyond_the_limit_wait_for_their_turn(sample):
    one = running("complexity", limits=Limits(concurrent=1))
    async with one as url, connected(url) as client, asyncio.TaskGroup() as group:
        sends = [group.create_task(send(client, message_of(sample))) for _ in range(4)]
        results = [task_of(await sent) for sent in sends]
    assert {task.status.state for task in results} == {TaskState.TASK_STATE_COMPLETED}


async def test_nothing_is_left_on_disk_after_a_review(sample, tmp_path):
    async with running("lint", folder=tmp_path) as url, connected(url) as client:
        await send(client, message_of(sample))
        own = list(tmp_path.iterdir())
        assert [path.name for path in own[0].iterdir()] == [".lock"]
    assert list(tmp_path.iterdir()) == []


async def test_a_follow_up_to_an_ended_task_is_refused_and_leaves_it_as_it_is(sample):
    async with running("complexity") as url, connected(url) as client:
        task = task_of(await send(client, message_of(sample)))
        more = message_of(sample)
        more.task_id, more.context_id = task.id, task.context_id
        with pytest.raises(UnsupportedOperationError):
            await send(client, more)
        after = await client.get_task(GetTaskRequest(id=task.id))
    assert after.artifacts == task.artifacts


async def test_a_webhook_is_refused_since_the_card_promises_none(sample):
    configuration = SendMessageConfiguration(task_push_notification_config={"url": "https://example.org/hook"})
    request = SendMessageRequest(message=message_of(sample), configuration=configuration)
    async with running("complexity") as url, connected(url) as client:
        with pytest.raises(PushNotificationNotSupportedError):
            [event async for event in client.send_message(request)]
        assert (await client.list_tasks(ListTasksRequest())).total_size == 0


async def test_the_inside_of_a_package_is_type_checked_with_its_relative_imports():
    """Without the package around it mypy would stop at the first `from ..` and again at the next file."""
    inside = {
        "__init__.py": "",
        "base.py": "def size(text: str) -> int:\n    return len(text)\n",
        **{f"part{n}/__init__.py": "" for n in range(12)},
        **{f"part{n}/use.py": "from .. import base\n\nbase.size(7)\n" for n in range(12)},
    }
    async with running("types") as url, connected(url) as client:
        found = findings_in(task_of(await send(client, message_of(inside))).artifacts)
    assert {finding["path"] for finding in found} == {f"part{n}/use.py" for n in range(12)}
    assert {finding["kind"] for finding in found} == {"type-mismatch"}
