"""The specialists of these tests: ada, bob and eve, who give their answer at once or when they are let."""

from collections.abc import Iterator
from contextlib import contextmanager

from coordinator.testing import Behaviour, Fleet, Specialist, answers
from coordinator.testing.behaviour import End, Json
from coordinator.testing.life import Beat, Status

NAMES = ("ada", "bob", "eve")


def answer_of(name: str) -> str:
    """Return the text of an agent's answer."""
    return f"the answer of {name}"


def staff() -> list[Specialist]:
    """Return the specialists, each with an answer of its own."""
    return [Specialist(name, Behaviour(artifacts=(answers.text(answer_of(name)),))) for name in NAMES]


def answering(*parts: Json) -> Behaviour:
    """Return a behaviour that answers with *parts*."""
    return Behaviour(artifacts=({"artifactId": "answer", "parts": parts},))


def failing(words: str) -> Behaviour:
    """Return a behaviour that fails, and says so with *words*."""
    return Behaviour(end="failed", end_text=words)


def waiting(state: End, words: str) -> Behaviour:
    """Return a behaviour that waits for its client, and says so with *words*."""
    return Behaviour(end=state, end_text=words, artifacts=())


def hold(fleet: Fleet) -> None:
    """Keep every answer back."""
    for agent in fleet.agents.values():
        agent.hold()


def release(fleet: Fleet) -> None:
    """Let every answer go."""
    for agent in fleet.agents.values():
        agent.release()


@contextmanager
def held(fleet: Fleet) -> Iterator[None]:
    """Keep every answer back inside the block."""
    hold(fleet)
    try:
        yield
    finally:
        release(fleet)


async def busy(fleet: Fleet, *names: str, tasks: int = 1) -> None:
    """Return when each of *names* holds the answers to that many tasks back."""
    await fleet.until(lambda: all(fleet[name].waiting() == tasks for name in names))


async def canceled(fleet: Fleet, *names: str) -> None:
    """Return when each of *names* was told to stop all it had."""
    await fleet.until(lambda: all(fleet[name].counts.cancels == fleet[name].counts.tasks for name in names))


def says(fleet: Fleet, name: str, words: str) -> None:
    """Make *name* tell of its work on every stream."""
    for task in fleet[name].tasks.values():
        task.take(Beat(Status("working", words)))


def asked(fleet: Fleet) -> list[int]:
    """Return how many tasks each of them was given."""
    return [fleet[name].counts.tasks for name in NAMES]
