"""Views to A2A messages, beyond what the protocol tests see."""

import dataclasses

from coordinator.core.model import TaskState
from coordinator.core.view import TaskView
from coordinator.journal import MemoryJournal
from coordinator.projection import Renderer
from coordinator.wire import json_in

WORKING = TaskView("t", "c", TaskState.WORKING, 0.0, ())
OVER = dataclasses.replace(
    WORKING, state=TaskState.COMPLETED, long_record=tuple({"id": f"s/{number}"} for number in range(2500))
)


def branches_of(artifact):
    return [branch["id"] for part in artifact.parts for branch in json_in(part.data)["branches"]]


async def test_a_record_too_long_for_metadata_is_an_artifact_in_parts_of_bounded_size():
    task = await Renderer(MemoryJournal()).task(OVER, history_length=0)
    (artifact,) = task.artifacts
    assert artifact.artifact_id == "run"
    assert branches_of(artifact) == [f"s/{number}" for number in range(2500)]
    assert len(artifact.parts) == 3


async def test_a_stream_tells_it_once_before_the_last_status():
    renderer = Renderer(MemoryJournal())
    artifact, status = await renderer.changes(WORKING, OVER)
    assert len(branches_of(artifact.artifact)) == 2500
    assert status.status.state == 3
    assert len(await renderer.changes(OVER, OVER)) == 1


async def test_a_list_without_artifacts_leaves_it_out():
    task = await Renderer(MemoryJournal()).task(OVER, history_length=0, with_artifacts=False)
    assert not task.artifacts
