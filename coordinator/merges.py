"""Outcomes to a strategy and its decision to facts: a result, or whom it has to ask first.

Everything here is costly: call it off the loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordinator.core.commands import Merge, MergeAnswer
from coordinator.core.events import Event, Merged, MergeDelegated, MergeQuestioned, PieceMerged
from coordinator.core.merging import (
    STRATEGIES,
    Answer,
    Ask,
    Contribution,
    Merging,
    Question,
    Source,
    Strategy,
    usage_summary,
)
from coordinator.core.model import Artifact, MergeSpec, Outcome, Part, PartRef, Payload, SubTask
from coordinator.core.questions import Choice, Inquiry
from coordinator.wire import Bodies, content_in, content_out, part_out, parts_in

MOST_WORDS = 2000


def merge(command: Merge, bodies: Bodies, at: float) -> tuple[Event, tuple[Payload, ...]]:
    """Run the stage's strategy over the outcomes. Raises `ValueError`."""
    contributions = [part for outcome in command.outcomes for part in _contributions(outcome, bodies)]
    strategy = _strategy(command.spec)
    resume = getattr(strategy, "resume", None)
    if command.answer is not None and resume is not None:
        decision = resume(contributions, _answer(command.answer, bodies))
    else:
        decision = strategy(contributions)
    match decision:
        case Merging():
            return _merged(command, decision, at)
        case Ask():
            return _delegated(command, decision, at)
        case Question():
            return _questioned(command, decision, at)
        case _:
            raise ValueError(f"{command.spec.strategy} came to no decision")


def parts_of(command: Merge) -> Iterator[PartRef]:
    """Yield every part a merge has to read."""
    for outcome in command.outcomes:
        yield from _refs(outcome)
    if command.answer is not None:
        yield from command.answer.parts


def _merged(command: Merge, merging: Merging, at: float) -> tuple[Event, tuple[Payload, ...]]:
    refs, payloads = parts_in(content_out(part) for part in merging.artifact.parts)
    artifact = Artifact(
        artifact_id=f"{command.stage}/{'late' if command.is_late else 'merged'}",
        name=merging.artifact.name,
        description=merging.artifact.description,
        parts=refs,
    )
    if command.piece is not None:
        return PieceMerged(at=at, stage=command.stage, number=command.piece, artifact=artifact), payloads
    summary = {**merging.summary, **usage_summary(command.outcomes)}
    merged = Merged(at=at, stage=command.stage, artifacts=(artifact,), summary=summary, is_late=command.is_late)
    return merged, payloads


def _delegated(command: Merge, ask: Ask, at: float) -> tuple[MergeDelegated, tuple[Payload, ...]]:
    agent = next((known for known in command.assistants if known.name == ask.agent), None)
    if agent is None:
        raise ValueError(f"{command.spec.strategy} asks {ask.agent}, whom nobody knows")
    refs, payloads = parts_in(content_out(part) for part in ask.parts)
    sub_task = SubTask(id=ask.agent, agent=agent, parts=refs)
    return MergeDelegated(at=at, stage=command.stage, sub_task=sub_task, is_late=command.is_late), payloads


def _questioned(command: Merge, question: Question, at: float) -> tuple[MergeQuestioned, tuple[Payload, ...]]:
    refs, payloads = parts_in(content_out(part) for part in question.parts)
    choices = tuple(Choice(choice, "") for choice in question.choices)
    inquiry = Inquiry("conflict", question.text[:MOST_WORDS], parts=refs, choices=choices)
    return MergeQuestioned(at=at, stage=command.stage, inquiry=inquiry, is_late=command.is_late), payloads


def _answer(answer: MergeAnswer, bodies: Bodies) -> Answer:
    if answer.choice:
        return Answer((Part("text", answer.choice, "text/plain"),))
    return Answer(tuple(content_in(part_out(bodies[ref.digest])) for ref in answer.parts), answer.failure)


def _strategy(spec: MergeSpec) -> Strategy:
    return STRATEGIES[spec.strategy](**spec.options)


def _contributions(outcome: Outcome, bodies: Bodies) -> Iterable[Contribution]:
    task_id = outcome.remote.task_id if outcome.remote else ""
    for artifact in outcome.artifacts:
        parts = tuple(content_in(part_out(bodies[ref.digest])) for ref in artifact.parts)
        yield Contribution(Source(outcome.agent, outcome.branch, task_id, artifact.artifact_id), parts)
    if not outcome.artifacts and outcome.message:
        parts = tuple(content_in(part_out(bodies[ref.digest])) for ref in outcome.message.parts)
        yield Contribution(Source(outcome.agent, outcome.branch, task_id, ""), parts)


def _refs(outcome: Outcome) -> Iterable[PartRef]:
    for artifact in outcome.artifacts:
        yield from artifact.parts
    if outcome.message:
        yield from outcome.message.parts
