"""What every mind is given and brings back, whether a model or a rule is behind it, and the one way it fails."""

from dataclasses import dataclass
from typing import Protocol

from a2a.types.a2a_pb2 import Part

from specialist_agents.minds.material import Material


class MindFailure(Exception):
    """There is no answer; the message says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer has cost, as the endpoint counts."""

    input_tokens: int
    output_tokens: int

    def as_json(self) -> dict[str, int]:
        """Return the shape used under `usage` in an artifact's metadata; every field is a number to be summed."""
        return {"requests": 1, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens}


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer."""

    parts: tuple[Part, ...]
    told: str  #: about it, in a line
    usage: Usage | None = None


class Saying(Protocol):
    """Who listens while a mind is at work."""

    async def progress(self, words: str) -> None:
        """Hear what it is doing, or why it takes long."""
        ...

    async def piece(self, text: str) -> None:
        """Hear the next piece of the answer."""
        ...


class Mind(Protocol):
    """Makes a result of material; raises MindFailure."""

    async def __call__(self, material: Material, saying: Saying) -> Result:
        """Return the whole answer, after its pieces were said."""
        ...
