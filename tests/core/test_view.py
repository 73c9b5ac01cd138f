import pytest

from coordinator.core.extension import RUN
from coordinator.core.model import TaskState
from coordinator.core.record import progress, run_record
from coordinator.core.view import TaskView, view_of
from tests.core.building import T0, Script, artifact


def test_a_submitted_task_shows_the_message_it_came_with():
    script = Script(1, started=False)
    view = view_of(script.coordination, T0)
    assert view == TaskView(
        task_id="task-1",
        context_id="context-1",
        state=TaskState.SUBMITTED,
        state_at=T0,
        history=(script.facts[0].message,),
        progress=progress(script.coordination, T0),
    )


def test_a_working_task_shows_its_progress_and_no_result():
    script = Script(2)
    script.succeeds("a")
    view = view_of(script.coordination, T0 + 1)
    assert (view.state, view.text, view.artifacts, view.metadata) == (TaskState.WORKING, "", (), {})
    assert view.progress == progress(script.coordination, T0 + 1)


def test_a_finished_task_shows_its_result_its_reason_and_its_record():
    script = Script(1)
    script.succeeds("a")
    script.now += 2
    script.merges(artifact("report"))
    view = view_of(script.coordination, T0 + 60)
    assert (view.state, view.state_at, view.text) == (TaskState.COMPLETED, T0 + 2, "1 of 1 branches succeeded.")
    assert view.artifacts == (artifact("report"),)
    assert view.metadata == {RUN: run_record(script.coordination)}
    assert view.progress == {}


@pytest.mark.parametrize("late", ["opens", "settles_cancel"])
def test_a_terminal_task_looks_the_same_for_ever(late):
    script = Script(1)
    script.cancels()
    seen = view_of(script.coordination, T0)
    getattr(script, late)("a")
    assert view_of(script.coordination, T0) == seen
