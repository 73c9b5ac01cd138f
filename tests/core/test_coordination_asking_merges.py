"""Merges that ask somebody: what goes on meanwhile, and what happens when time is up."""

from coordinator.core import events as ev
from coordinator.core.commands import Look, Merge
from coordinator.core.model import Limits, MergeSpec, Need, Release, Stragglers, SubTask, TaskState
from coordinator.core.questions import Choice, Inquiry
from coordinator.core.states import BranchState
from tests.core.building import Script, agent, artifact

WHICH = Inquiry("conflict", "which severity?", choices=(Choice("flag", ""), Choice("majority", "")))


def questioned(script: Script) -> None:
    script.tell(ev.MergeQuestioned(at=script.now, stage="review", inquiry=WHICH))


def test_a_straggler_runs_out_of_its_time_while_the_merge_of_the_others_asks():
    script = Script(
        3,
        release=Release.ENOUGH,
        need=Need("count", 2),
        stragglers=Stragglers.CONTINUE,
        limits=Limits(branch_timeout_s=60.0),
    )
    for name in "abc":
        script.begins(name)
        script.opens(name)
    script.succeeds("a")
    script.succeeds("b")
    questioned(script)
    assert not script.coordination.asked
    script.waits(60)
    assert script.branch("c").state is BranchState.TIMED_OUT
    assert [question.number for question in script.coordination.asked] == [1]
    assert script.coordination.state is TaskState.INPUT_REQUIRED


def test_a_merge_that_wants_help_after_the_deadline_goes_on_without():
    script = Script(2, need=Need("count", 1), plan={"deadline_s": 120.0})
    for name in "ab":
        script.begins(name)
        script.opens(name)
    script.succeeds("a")
    script.waits(120)
    helper = SubTask(id="writer", agent=agent("writer"), parts=())
    script.tell(ev.MergeDelegated(at=script.now, stage="review", sub_task=helper))
    (merge,) = script.open(Merge)
    assert "deadline" in merge.answer.failure
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


def test_a_status_that_only_dates_itself_anew_asks_nothing_new():
    script = Script(1)
    script.begins("a")
    script.opens("a")
    inquiry = Inquiry("input", "which one?")
    script.tell(ev.Asked(at=script.now, branch="review/a", attempt=1, inquiries=(inquiry,), mark="m@0"))
    (first,) = script.coordination.asked
    default_at, intervals = first.default_at, []
    for number in range(1, 20):
        before, script.now = script.now, script.coordination.wake_at()
        intervals.append(script.now - before)
        assert [command for command in script.tell(ev.TimePassed(at=script.now)) if isinstance(command, Look)]
        again = ev.Asked(at=script.now, branch="review/a", attempt=1, inquiries=(inquiry,), mark=f"m@{number}")
        script.tell(again)
    assert [(q.number, q.default_at) for q in script.coordination.asked] == [(1, default_at)]
    assert intervals[-1] > intervals[0], "it is looked at more and more seldom"


def progressive() -> Script:
    script = Script(3, merge=MergeSpec("concat", {"progressive": True}))
    for name in "abc":
        script.begins(name)
        script.opens(name)
    script.succeeds("a")
    script.succeeds("b")
    return script


def test_what_was_streamed_of_a_merge_stays_when_the_task_fails_and_nothing_is_shown_twice():
    script = progressive()
    script.tell(ev.PieceMerged(at=script.now, stage="review", number=0, artifact=artifact("review/merged")))
    script.fails("c")
    assert script.coordination.state is TaskState.FAILED
    assert [one.artifact_id for one in script.coordination.artifacts] == ["review/merged", "review/b/findings"]


def test_a_piece_that_cannot_be_merged_leaves_the_whole_to_be_merged():
    script = progressive()
    script.tell(ev.MergeFailed(at=script.now, stage="review", reason="no", piece=0))
    assert not [command for command in script.open(Merge) if command.piece is not None]
    script.succeeds("c")
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED
