"""Several stages: what starts when, with what, and how they end together."""

import pytest

from coordinator.core.commands import Expand, Merge
from coordinator.core.coordination import Coordination
from coordinator.core.model import (
    MESSAGE,
    Exhausted,
    FailureKind,
    Limits,
    Need,
    Release,
    Split,
    Stage,
    Stragglers,
    SubTask,
    TaskState,
    Verdict,
)
from coordinator.core.record import run_record
from coordinator.core.scheduling import Phase
from tests.core.building import T0, Script, agent, artifact, canceled, merge_in, part, planned, sent

ONE = SubTask("a", agent("agent-a"))
OTHER = SubTask("b", agent("agent-b"))


def chain(**options) -> Script:
    """Return a task whose stage `sum` uses what `review` brings."""
    return Script(stages=(planned(ONE, OTHER), planned(ONE, name="sum", uses=("review",), **options)))


def finished(script: Script, stage: str, digit: str = "5") -> list:
    """Let every branch of *stage* succeed and its merge bring one part; return what follows."""
    for key in list(script.run(stage).branches):
        script.succeeds(key)
    return script.merges(artifact(f"{stage}-report", digit=digit), stage=stage)


def test_a_stage_starts_when_what_it_uses_is_merged_and_not_before():
    script = chain()
    assert sent(script.first) == ["a", "b"]
    script.succeeds("a")
    assert [type(command) for command in script.succeeds("b")] == [Merge]
    assert sent(script.merges()) == ["sum/a"]
    assert script.coordination.state is TaskState.WORKING


def test_a_stage_gets_the_parts_of_what_it_uses_after_those_of_the_message():
    script = chain()
    (send,) = finished(script, "review")
    assert send.parts == (part("0"), part("5"))


def test_a_stage_may_leave_the_message_out():
    script = chain(with_message=False)
    (send,) = finished(script, "review")
    assert send.parts == (part("5"),)


def test_a_sub_task_with_parts_of_its_own_gets_what_its_stage_uses_as_well():
    own = SubTask("a", agent("agent-a"), parts=(part("7"),))
    script = Script(stages=(planned(ONE), planned(own, name="sum", uses=("review",))))
    (send,) = finished(script, "review")
    assert send.parts == (part("7"), part("5"))


def test_parts_of_several_stages_come_in_the_order_the_plan_names_them():
    stages = (planned(ONE, name="one"), planned(ONE, name="two"), planned(ONE, name="sum", uses=("two", "one")))
    script = Script(stages=stages)
    assert finished(script, "one", "5") == []
    (send,) = finished(script, "two", "6")
    assert send.parts == (part("0"), part("6"), part("5"))


def test_stages_that_do_not_draw_on_each_other_run_at_once():
    script = Script(stages=(planned(ONE, name="one"), planned(ONE, name="two")))
    assert sent(script.first) == ["one/a", "two/a"]


def test_each_stage_has_its_own_concurrency():
    limits = Limits(concurrency=1)
    stages = [planned(ONE, OTHER, name=name, limits=limits) for name in ("one", "two")]
    assert sent(Script(stages=tuple(stages)).first) == ["one/a", "two/a"]


def test_the_task_completes_when_every_stage_is_done_and_answers_with_the_last():
    script = chain()
    finished(script, "review")
    finished(script, "sum")
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.COMPLETED, Verdict.COMPLETE)
    assert [one.artifact_id for one in script.coordination.artifacts] == ["sum-report"]
    assert script.coordination.reason == "3 of 3 branches succeeded."
    assert [branch["id"] for branch in run_record(script.coordination)["branches"]] == ["review/a", "review/b", "sum/a"]


def test_the_plan_says_which_stage_answers():
    stages = (planned(ONE, name="one"), planned(ONE, name="two"))
    script = Script(stages=stages, plan={"answer": "one"})
    finished(script, "one")
    assert script.coordination.state is TaskState.WORKING, "the other stage is not done yet"
    finished(script, "two")
    assert [one.artifact_id for one in script.coordination.artifacts] == ["one-report"]


def test_a_failure_in_an_early_stage_makes_the_answer_partial():
    stages = (planned(ONE, OTHER, need=Need("count", 1)), planned(ONE, name="sum", uses=("review",)))
    script = Script(stages=stages)
    script.fails("b")
    finished(script, "review")
    finished(script, "sum")
    assert script.coordination.verdict is Verdict.PARTIAL
    assert script.coordination.reason.startswith("Partial result: 2 of 3 branches succeeded; missing: agent-b")


def test_a_stage_that_fails_fails_the_task_and_keeps_the_results_of_all():
    script = chain()
    finished(script, "review")
    script.fails("sum/a")
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.FAILED, Verdict.FAILED)
    assert script.coordination.reason.startswith("1 of 1 branches had to succeed, 0 did; missing: agent-a")
    assert [one.artifact_id for one in script.coordination.artifacts] == ["review/a/findings", "review/b/findings"]


def test_a_stage_that_fails_cancels_the_branches_of_the_others():
    script = Script(stages=(planned(ONE, name="one"), planned(ONE, OTHER, name="two", exhausted=Exhausted.FAIL_FAST)))
    assert canceled(script.fails("two/a")) == ["one/a", "two/b"]
    assert script.coordination.tally().open == 0


def test_a_stage_that_fails_stops_the_merge_of_another():
    script = Script(stages=(planned(ONE, name="one"), planned(ONE, name="two")))
    script.succeeds("one/a")
    script.fails("two/a")
    assert script.coordination.is_closed
    assert script.merges(stage="one") == []
    assert [one.artifact_id for one in script.coordination.artifacts] == ["one/a/findings"]


def test_a_stage_that_never_starts_has_no_branches():
    script = chain()
    script.fails("a")
    script.fails("b")
    assert script.coordination.tally().total == 2
    assert script.run("sum").phase is Phase.WAITING


def test_a_stage_waits_for_the_stragglers_of_what_it_uses():
    first = planned(ONE, OTHER, release=Release.FIRST, stragglers=Stragglers.CONTINUE)
    script = Script(stages=(first, planned(ONE, name="sum", uses=("review",))))
    script.succeeds("a")
    assert script.merges(artifact("report", digit="5")) == []
    merge_in(script.succeeds("b"))
    (send,) = script.merges(artifact("follow-up", digit="6"), is_late=True)
    assert send.parts == (part("0"), part("5"), part("6"))


def test_the_deadline_of_a_stage_counts_from_when_it_can_start():
    script = chain(limits=Limits(deadline_s=30))
    script.now += 100
    finished(script, "review")
    assert script.coordination.wake_at() == T0 + 130
    assert canceled(script.waits(30)) == ["sum/a"]


# -- the deadline of the task ---------------------------------------------------------------------


def test_a_stage_does_not_start_after_the_deadline_of_the_task():
    stages = (planned(ONE), planned(ONE, name="sum", uses=("review",)))
    script = Script(stages=stages, plan={"deadline_s": 30})
    script.succeeds("a")
    script.now += 30
    assert script.merges() == []
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason == "the deadline passed before stage sum could start"
    assert [one.artifact_id for one in script.coordination.artifacts] == ["review/a/findings"]


def test_the_deadline_of_the_task_ends_the_branches_of_every_stage():
    limits = Limits(deadline_s=100)
    stages = [planned(ONE, name=name, need=Need("count", 0), limits=limits) for name in ("one", "two")]
    script = Script(stages=tuple(stages), plan={"deadline_s": 30})
    assert script.coordination.wake_at() == T0 + 30
    assert canceled(script.waits(30)) == ["one/a", "two/a"]
    failures = {branch.failure.message for branch in script.coordination.branches()}
    assert failures == {"not settled at the deadline of 30 s"}


# -- stages whose sub-tasks are made later --------------------------------------------------------


def made_later(**options) -> Script:
    return Script(stages=(planned(ONE), Stage("work", **options)))


@pytest.mark.parametrize("how", [{"planned_by": "review"}, {"split": Split(of="review", items="lines")}])
def test_a_stage_is_expanded_from_what_it_draws_on(how):
    script = made_later(**how, uses=("review",))
    (expand,) = finished(script, "review")
    assert (expand.id, expand.stage) == ("expand:work", script.run("work").stage)
    assert expand.drawn == ((MESSAGE, (part("0"),)), ("review", (part("5"),)))
    sends = script.expands("work", ONE, SubTask("b", agent("agent-b"), parts=(part("8"),)))
    assert sent(sends) == ["work/a", "work/b"]
    assert [send.parts for send in sends] == [(part("0"), part("5")), (part("8"), part("5"))]


@pytest.mark.parametrize("how", [{"planned_by": "review"}, {"split": Split(of="review", items="lines")}])
def test_a_stage_waits_for_what_its_sub_tasks_are_made_of_though_it_does_not_use_it(how):
    script = made_later(**how)
    assert sent(script.first) == ["a"]
    assert script.open(Expand) == []
    finished(script, "review")
    (send,) = script.expands("work", ONE)
    assert send.parts == (part("0"),)


def test_a_split_of_the_message_is_expanded_at_once():
    script = Script(stages=(Stage("work", split=Split()),))
    assert [command.id for command in script.first] == ["expand:work"]
    assert script.first[0].drawn == ((MESSAGE, (part("0"),)),)
    assert sent(script.expands("work", ONE)) == ["work/a"]


def test_a_stage_is_expanded_once():
    script = Script(stages=(Stage("work", split=Split()),))
    script.expands("work", ONE)
    assert script.expands("work", ONE, OTHER) == []
    assert script.fails_to_expand("work") == []
    assert list(script.run("work").branches) == ["work/a"]


def test_an_expansion_that_was_under_way_is_asked_for_again_after_a_replay():
    script = Script(stages=(Stage("work", split=Split()),))
    assert Coordination.replay(script.facts).outstanding() == script.first


def test_an_expansion_that_fails_fails_the_task_and_keeps_what_finished():
    script = made_later(planned_by="review")
    finished(script, "review")
    assert script.fails_to_expand("work", "the plan is not JSON") == []
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.FAILED, Verdict.FAILED)
    assert script.coordination.reason == "stage work has no sub-tasks: the plan is not JSON"
    assert [one.artifact_id for one in script.coordination.artifacts] == ["review/a/findings"]
    assert script.coordination.is_closed


def test_an_expansion_that_comes_after_the_cancel_starts_nothing():
    script = Script(stages=(Stage("work", split=Split()),))
    assert script.cancels() == []
    assert script.open(Expand) == []
    assert script.expands("work", ONE) == []
    assert script.coordination.tally().total == 0


def test_a_stage_expanded_to_nothing_is_done_when_nothing_is_needed():
    script = Script(stages=(Stage("work", split=Split()),))
    assert merge_in(script.expands("work")).outcomes == ()
    script.merges(stage="work")
    assert script.coordination.verdict is Verdict.COMPLETE


def test_a_plan_that_arrives_after_the_deadline_sends_nothing():
    script = Script(stages=(Stage("work", split=Split(), need=Need("count", 1)),), plan={"deadline_s": 30})
    script.now += 30
    assert script.expands("work", ONE) == []
    assert script.coordination.branches()[0].failure.kind is FailureKind.DEADLINE
    assert script.coordination.state is TaskState.FAILED
