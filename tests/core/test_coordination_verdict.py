"""How a coordination ends: complete, partial, failed, and what it hands back each time."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Merge
from coordinator.core.coordination import Coordination
from coordinator.core.model import (
    Exhausted,
    FailureKind,
    Limits,
    MergeSpec,
    Message,
    Need,
    PartRef,
    Release,
    Settled,
    TaskState,
    Verdict,
)
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, artifact, merge_in, remote_of

SPEC = MergeSpec("findings", {"min_confidence": 80})


def test_when_every_branch_has_succeeded_the_outcomes_are_merged_in_plan_order():
    script = Script(3, merge=SPEC)
    script.opens("b")
    script.succeeds("c")
    script.succeeds("a")
    merge = merge_in(script.succeeds("b"))
    assert (merge.id, merge.stage, merge.spec) == ("merge:review", "review", SPEC)
    assert [outcome.branch for outcome in merge.outcomes] == ["review/a", "review/b", "review/c"]
    assert script.coordination.outstanding() == [merge]
    assert script.coordination.state is TaskState.WORKING


def test_an_outcome_holds_what_the_branch_brought():
    script = Script(1)
    script.opens("a")
    message = Message("m", "agent", (PartRef("2" * 64, 1),))
    (outcome,) = merge_in(script.succeeds("a", message=message)).outcomes
    assert (outcome.branch, outcome.agent, outcome.settled) == ("review/a", "agent-a", Settled.SUCCEEDED)
    assert (outcome.remote, outcome.artifacts, outcome.message) == (remote_of("a"), (artifact(),), message)


def test_a_merged_result_completes_the_task():
    script = Script(2)
    script.succeeds("a")
    script.succeeds("b")
    script.now += 3
    assert script.merges(artifact("report", "All of it."), summary={"merged": 7}) == []
    coordination = script.coordination
    assert (coordination.state, coordination.verdict) == (TaskState.COMPLETED, Verdict.COMPLETE)
    assert coordination.reason == "2 of 2 branches succeeded."
    assert coordination.artifacts == (artifact("report", "All of it."),)
    assert coordination.merge_summary == {"merged": 7}
    assert coordination.state_at == T0 + 3
    assert coordination.is_closed


def test_a_partial_result_says_so_everywhere():
    script = Script(3, need=Need("ratio", 0.6))
    script.succeeds("a")
    script.fails("b", FailureKind.TOO_LARGE, message="more than 32 MB")
    script.succeeds("c")
    script.merges(artifact("report", "2 findings."), artifact("notes"))
    said = "Partial result: 2 of 3 branches succeeded; missing: agent-b (too large: more than 32 MB)."
    assert script.coordination.state is TaskState.COMPLETED
    assert script.coordination.verdict is Verdict.PARTIAL
    assert script.coordination.reason == said
    assert [labelled.description for labelled in script.coordination.artifacts] == [f"2 findings. {said}", said]
    assert [labelled.artifact_id for labelled in script.coordination.artifacts] == ["report", "notes"]


def test_only_what_succeeded_is_merged():
    script = Script(3, need=Need("count", 1))
    script.fails("a")
    script.succeeds("b")
    (outcome,) = merge_in(script.fails("c")).outcomes
    assert outcome.branch == "review/b"


def test_best_effort_without_any_success_still_answers():
    script = Script(2, need=Need("count", 0))
    script.fails("a")
    assert merge_in(script.fails("b")).outcomes == ()
    script.merges()
    assert script.coordination.verdict is Verdict.PARTIAL


def test_a_straggler_nobody_needed_does_not_make_the_result_partial():
    script = Script(3, release=Release.ENOUGH, need=Need("count", 2))
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert script.coordination.verdict is Verdict.COMPLETE
    assert script.coordination.reason == "2 of 3 branches succeeded."
    assert not script.coordination.is_closed


def test_a_failure_before_enough_makes_the_result_partial():
    script = Script(4, release=Release.ENOUGH, need=Need("count", 2))
    script.fails("a")
    script.succeeds("b")
    script.succeeds("c")
    script.merges()
    assert script.coordination.verdict is Verdict.PARTIAL


def test_a_need_that_is_not_met_fails_the_task_and_keeps_what_finished():
    script = Script(5, need=Need("ratio", 0.6), limits=Limits(deadline_s=30))
    script.succeeds("b", artifacts=(artifact("f1", "First."), artifact("f2")))
    script.succeeds("d")
    for name in ("a", "c"):
        script.fails(name)
    script.waits(30)
    coordination = script.coordination
    assert (coordination.state, coordination.verdict) == (TaskState.FAILED, Verdict.FAILED)
    assert coordination.reason == (
        "3 of 5 branches had to succeed, 2 did; missing: agent-a (rejected: no); agent-c (rejected: no); "
        "agent-e (deadline: not settled at the deadline of 30 s)."
    )
    kept = [(one.artifact_id, one.description) for one in coordination.artifacts]
    assert kept == [("review/b/f1", "First."), ("review/b/f2", ""), ("review/d/findings", "")]
    assert script.open(Merge) == []


def test_a_need_out_of_reach_waits_for_the_rest_unless_the_plan_says_enough():
    script = Script(3)
    script.fails("a")
    assert script.coordination.state is TaskState.WORKING
    script.succeeds("b")
    script.succeeds("c")
    assert script.coordination.state is TaskState.FAILED
    assert len(script.coordination.artifacts) == 2


def test_a_failed_merge_fails_the_task_and_keeps_what_finished():
    script = Script(1)
    script.succeeds("a")
    assert script.fails_to_merge("no common schema") == []
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.FAILED, Verdict.FAILED)
    assert script.coordination.reason == "merging the results of stage review failed: no common schema"
    assert [kept.artifact_id for kept in script.coordination.artifacts] == ["review/a/findings"]
    assert script.coordination.is_closed


def test_the_first_failure_names_itself_as_the_reason():
    script = Script(3, exhausted=Exhausted.FAIL_FAST)
    script.succeeds("c")
    script.fails("b", FailureKind.NEEDS_INPUT, message="which branch?")
    assert script.coordination.reason == "Stopped at the first failure: agent-b (needs input: which branch?)."
    assert [kept.artifact_id for kept in script.coordination.artifacts] == ["review/c/findings"]


def test_a_merge_is_answered_once():
    script = Script(1)
    script.succeeds("a")
    script.merges(artifact("first"))
    script.merges(artifact("second"))
    script.fails_to_merge()
    assert script.coordination.state is TaskState.COMPLETED
    assert [merged.artifact_id for merged in script.coordination.artifacts] == ["first"]


@pytest.mark.parametrize("tell", ["merges", "fails_to_merge"])
def test_a_merge_nobody_asked_for_is_ignored(tell):
    script = Script(1)
    assert getattr(script, tell)() == []
    assert script.coordination.state is TaskState.WORKING


def test_a_need_beyond_the_number_of_branches_is_never_met():
    script = Script(1, need=Need("count", 2))
    script.succeeds("a")
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason.startswith("2 of 1 branches had to succeed, 1 did")


def test_the_tally_follows_every_branch():
    script = Script(4, limits=Limits(branch_timeout_s=5), need=Need("count", 0))
    script.begins("a")
    script.succeeds("b")
    script.fails("c")
    script.waits(5)
    tally = script.coordination.tally()
    assert (tally.total, tally.succeeded, tally.failed, tally.canceled, tally.open) == (4, 1, 2, 0, 1)
    script.cancels()
    assert script.coordination.tally().canceled == 1


def test_the_same_facts_give_the_same_state():
    script = Script(3, need=Need("count", 1), limits=Limits(concurrency=2, branch_timeout_s=9))
    script.opens("a")
    script.begins("b")
    script.waits(9)
    script.succeeds("a")
    again = Coordination.replay(script.facts)
    assert again.outstanding() == script.coordination.outstanding()
    assert [branch.state for branch in again.branches()] == [
        BranchState.SUCCEEDED,
        BranchState.TIMED_OUT,
        BranchState.SENDING,
    ]


def test_every_kind_of_fact_is_known_by_its_name():
    kinds = {name: kind for name, kind in vars(ev).items() if isinstance(kind, type) and issubclass(kind, ev.Event)}
    abstract = {"Event", "AttemptEvent"}
    assert {name: kind for name, kind in kinds.items() if name not in abstract} == ev.EVENT_TYPES


def test_an_answer_without_a_task_is_kept_when_the_task_fails():
    script = Script(2)
    message = Message("m", "agent", (PartRef("2" * 64, 1),), metadata={"lang": "en"})
    script.succeeds("a", artifacts=(), message=message)
    script.fails("b")
    (kept,) = script.coordination.artifacts
    assert (kept.artifact_id, kept.parts, kept.metadata) == ("review/a/message", message.parts, {"lang": "en"})


def test_a_thousand_failures_do_not_make_a_reason_nobody_can_read():
    script = Script(1000, need=Need("count", 0))
    for number in range(1000):
        script.fails(f"s{number}", message="x" * 10_000)
    script.merges()
    reason = script.coordination.reason
    assert len(reason) < 10_000
    assert reason.startswith("Partial result: 0 of 1000 branches succeeded; missing: agent-s0 (rejected: xxx")
    assert reason.endswith("; and 990 more.")


@pytest.mark.parametrize(
    ("failures", "rest"), [(10, "agent-j (rejected: no)."), (11, "agent-j (rejected: no); and 1 more.")]
)
def test_a_reason_names_ten_and_counts_the_rest(failures, rest):
    script = Script(failures, need=Need("count", 0))
    for branch in script.coordination.branches():
        script.fails(branch.sub_task.id)
    script.merges()
    assert script.coordination.reason.endswith(rest)


def test_a_reason_names_nobody_as_missing_when_all_succeeded():
    script = Script(1, need=Need("count", 2))
    script.succeeds("a")
    assert "missing" not in script.coordination.reason
