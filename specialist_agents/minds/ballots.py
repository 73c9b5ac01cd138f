"""A vote as a document: how a model is asked to choose one of several answers, and how its choice is found.

Only the names of those whose answers it was given can be chosen; anything else is no vote.
"""

from collections.abc import Sequence
from typing import Any

from a2a.types.a2a_pb2 import Part
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from specialist_agents.minds.material import Material
from specialist_agents.minds.results import MindFailure
from specialist_agents.minds.tasks import object_in

_WORDS = 500


def candidates(material: Material) -> list[str]:
    """Return who said something; raises MindFailure when there is no choice."""
    names = list(dict.fromkeys(piece.agent for piece in material.documents if piece.agent))
    if len(names) < 2:
        raise MindFailure("there is nothing to choose: the message holds no answers of two agents")
    return names


def form(names: Sequence[str]) -> str:
    """Return how the vote has to look, for the instructions of a model."""
    listed = "\n".join(f"- {name}" for name in names)
    return f"""The documents are answers of several agents to the same request. Choose one of them.
Answer with nothing but one JSON object: {{"choice": "name", "why": "one sentence", "confidence": 0 to 100}}
"choice" is who said it, one of:
{listed}
"""


def ballot_in(said: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the vote in what a model said; raises MindFailure when it chose nobody there is."""
    found = object_in(said)
    choice, sure = found.get("choice"), found.get("confidence")
    if choice not in names:
        raise MindFailure(f"the model chose none of {', '.join(names)}")
    known = isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 100
    why = str(found.get("why", ""))[:_WORDS]
    return {"choice": choice, "why": why} | ({"confidence": sure} if known else {})


def ballot_part(ballot: dict[str, Any]) -> Part:
    """Return a vote as a data part."""
    return Part(data=ParseDict(ballot, Value()), media_type="application/json")
