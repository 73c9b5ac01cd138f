"""Staying with a task whose connection breaks for good."""

from __future__ import annotations

import asyncio

import pytest
from a2a.types.a2a_pb2 import Artifact, Part, StreamResponse, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent

from coordinator.cli import follow as module
from coordinator.cli.exits import Lost, NoAnswer
from coordinator.cli.follow import Patience, follow
from coordinator.cli.view import TaskView


class Gone:
    """A connection nobody is at the other end of."""

    async def subscribe(self, task_id):
        raise NoAnswer("nobody answers")
        yield

    async def task(self, task_id):
        raise NoAnswer("nobody answers")


async def stream(*events, error=None):
    for event in events:
        yield event
    if error:
        raise error


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", -1.0)


async def test_when_nobody_answers_any_more_the_task_is_told():
    started = stream(StreamResponse(task=Task(id="t")), error=Lost("it broke"))
    with pytest.raises(Lost, match=r"it broke\. The task may go on: coordinator watch t"):
        await follow(Gone(), started, TaskView(), lambda _: None)


async def test_what_was_lost_before_a_task_was_named_may_have_arrived():
    with pytest.raises(Lost, match="it broke; it may have taken the message") as lost:
        await follow(Gone(), stream(error=Lost("it broke")), TaskView(), lambda _: None)
    assert type(lost.value) is Lost


async def test_what_was_never_taken_may_be_sent_again():
    with pytest.raises(NoAnswer) as lost:
        await follow(Gone(), stream(error=NoAnswer("nobody there")), TaskView(), lambda _: None)
    assert str(lost.value) == "nobody there"


async def test_a_stream_that_ends_without_a_task_is_lost(monkeypatch):
    gone = Gone()
    gone.target = type("Target", (), {"server": "http://c"})
    with pytest.raises(Lost, match="http://c named no task"):
        await follow(gone, stream(), TaskView(), lambda _: None)


async def test_looks_become_rarer_until_they_are_even(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 1000.0)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    patience = Patience()
    for _ in range(6):
        await patience.wait("t")
    assert slept == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_whoever_waits_is_told_once_that_the_connection_is_lost_and_again_when_it_is_lost_again(capsys):
    patience = Patience()
    for _ in range(2):
        for _ in range(5):
            patience.blame(Lost("it broke"))
        patience.renew()
        patience.blame(Lost("a hand-over"))
        patience.renew()
    assert capsys.readouterr().err.count("the connection is lost; trying again") == 2


def test_an_event_of_a_later_version_changes_nothing():
    view = TaskView()
    view.apply(StreamResponse())
    assert (view.state, view.is_settled) == ("", False)


def test_an_artifact_that_comes_again_whole_replaces_the_first():
    view = TaskView()
    for text in ("one", "two"):
        made = Artifact(artifact_id="x", parts=[Part(text=text)])
        view.apply(StreamResponse(artifact_update=TaskArtifactUpdateEvent(task_id="t", artifact=made)))
    assert view.artifacts == [{"artifactId": "x", "parts": [{"text": "two"}]}]


def test_progress_stays_until_there_is_newer():
    view = TaskView(progress={"branches": []})
    view.apply(StreamResponse(status_update=TaskStatusUpdateEvent(task_id="t", context_id="c")))
    assert (view.task.id, view.progress) == ("t", {"branches": []})
