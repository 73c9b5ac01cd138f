"""Small plans with every policy in some of them, and what a hostile shell may say about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from coordinator.core import events as ev
from coordinator.core.failure import REMEDIES
from coordinator.core.model import (
    Exhausted,
    Failure,
    FailureKind,
    Limits,
    Need,
    Plan,
    Release,
    Retry,
    Split,
    Stage,
    Stragglers,
    SubTask,
)
from tests.core.building import NAMES, T0, agent, artifact, part, remote_of

DELAYS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0])
DURATIONS = st.sampled_from([None, None, 3.0, 12.0, 50.0])
NEEDS = [
    ("count", 0),
    ("count", 0),
    ("count", 0),
    ("count", 1),
    ("count", 1),
    ("count", 2),
    ("ratio", 0.25),
    ("ratio", 0.6),
    ("all", 0),
]
SPARES = tuple(agent(f"spare-{number}") for number in range(3))
STAGE_NAMES = ("one", "two", "three")

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "limits": st.builds(Limits, st.sampled_from([None, 1, 2, 3, 8]), DURATIONS, DURATIONS),
    "retry": st.builds(Retry, st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 1.0]), st.just(2.0)),
    "exhausted": st.sampled_from([Exhausted.COUNT] * 5 + [Exhausted.FAIL_FAST]),
    "release": st.sampled_from(Release),
    "need": st.sampled_from([Need(*need) for need in NEEDS]),
    "stragglers": st.sampled_from(Stragglers),
    "fallback": st.sampled_from([0, 0, 1, 2]),
    "hedge_s": st.sampled_from([None, None, 0.5, 2.0]),
}


@dataclass(frozen=True)
class Planned:
    """A plan, and what the stages without sub-tasks will be expanded to."""

    plan: Plan
    made: dict[str, tuple[SubTask, ...]]

    def sub_tasks(self, stage: Stage) -> tuple[SubTask, ...]:
        return stage.sub_tasks or self.made[stage.name]


def sub_task(number: int, spares: int, offset: int, timeout: float | None, own: str | None) -> SubTask:
    """Return a sub-task that needs the one *offset* before it, if there is one."""
    name = NAMES[number]
    return SubTask(
        id=name,
        agent=agent(f"agent-{name}"),
        parts=None if own is None else (part(own),),
        others=SPARES[:spares],
        after=(NAMES[number - offset],) if 0 < offset <= number else (),
        timeout_s=timeout,
    )


@st.composite
def sub_task_lists(draw: st.DrawFn, least: int = 1, most: int = 6) -> tuple[SubTask, ...]:
    each = st.tuples(
        st.sampled_from([0, 1, 2, 3]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([None, None, None, 4.0]),
        st.sampled_from([None, "7"]),
    )
    drawn = draw(st.lists(each, min_size=least, max_size=most))
    return tuple(sub_task(number, *options) for number, options in enumerate(drawn))


@st.composite
def stages(draw: st.DrawFn, name: str, before: tuple[str, ...], **fixed: Any) -> tuple[Stage, tuple[SubTask, ...]]:
    options = draw(st.fixed_dictionaries({key: value for key, value in OPTIONS.items() if key not in fixed}))
    uses = tuple(other for other in before if draw(st.booleans()))
    stage = Stage(name=name, uses=uses, with_message=draw(st.booleans()), **options, **fixed)
    how = draw(st.sampled_from(["fixed", "fixed", "split", "planned"] if before else ["fixed", "fixed", "split"]))
    if how == "fixed":
        return replace(stage, sub_tasks=draw(sub_task_lists())), ()
    made = draw(sub_task_lists(least=draw(st.sampled_from([0, 1, 1, 1])), most=4))
    if how == "planned":
        return replace(stage, planned_by=draw(st.sampled_from(before))), made
    return replace(stage, split=Split(of=draw(st.sampled_from(("message", *before))))), made


PLAN_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "deadline_s": DURATIONS,
    "retry_budget": st.sampled_from([None, None, 0, 1, 3]),
}


@st.composite
def plans(draw: st.DrawFn, options: dict[str, st.SearchStrategy[Any]] = PLAN_OPTIONS, **fixed: Any) -> Planned:
    """Draw a plan with *options*; *fixed* are options all its stages have."""
    names = STAGE_NAMES[: draw(st.sampled_from([1, 1, 2, 3]))]
    drawn = [draw(stages(name, names[:number], **fixed)) for number, name in enumerate(names)]
    plan = Plan(
        name="hostile",
        stages=tuple(stage for stage, _ in drawn),
        answer=draw(st.sampled_from(["", *names])),
        **draw(st.fixed_dictionaries(options)),
    )
    return Planned(plan, {stage.name: made for stage, made in drawn if not stage.sub_tasks})


# -- what can be said -----------------------------------------------------------------------------

KINDS = st.sampled_from([kind for kind in FailureKind if REMEDIES[kind].again]) | st.sampled_from(FailureKind)
FAILURES = st.builds(Failure, KINDS, st.just("it broke"), st.none() | DELAYS)
ARTIFACTS = st.sampled_from([(), (artifact("f"),), (artifact("f"), artifact("g", digit="2"))])
ANY = {"at": T0, "branch": "", "attempt": 0}
REPORTS = st.one_of(
    st.just(ev.AttemptStarted(**ANY)),
    st.just(ev.TaskOpened(**ANY, remote=remote_of("", 0))),
    st.just(ev.Progressed(**ANY, state="TASK_STATE_WORKING", text="half way")),
    st.builds(partial(ev.AttemptSucceeded, **ANY), artifacts=ARTIFACTS),
    st.builds(partial(ev.AttemptFailed, **ANY), failure=FAILURES, jitter=st.floats(0, 0.9), is_open=st.booleans()),
    # A cancel that finds the work finished takes an attempt up again: `test_coordination_too_late` is about that.
    st.builds(partial(ev.CancelSettled, **ANY), result=st.sampled_from(["confirmed", "refused", "not_sent"])),
)
"""What can be said of an attempt; which one, and when, is filled in."""

ANSWERS = st.sampled_from(
    [
        ev.Merged(at=T0, stage="", artifacts=(), summary={"parts": 1}),
        ev.Merged(at=T0, stage="", artifacts=(), summary={"parts": 1}),
        ev.StageExpanded(at=T0, stage="", sub_tasks=()),
        ev.StageExpanded(at=T0, stage="", sub_tasks=()),
        ev.MergeFailed(at=T0, stage="", reason="they do not fit"),
        ev.ExpansionFailed(at=T0, stage="", reason="no list there"),
    ]
)
"""What can be said of a stage; which one is filled in."""

OTHERS = st.sampled_from(
    [
        ev.TimePassed(at=T0),
        ev.TimePassed(at=T0),
        ev.TurnStarted(at=T0, epoch=2),
        ev.CancelRequested(at=T0),
        ev.CoordinationFailed(at=T0, reason="claims without progress"),
    ]
)
BEFORE = st.sampled_from([[]] * 8 + [[ev.TimePassed(at=T0)], [ev.CancelRequested(at=T0)]])
"""What is told before the first turn: seldom anything."""
