"""What is wrong with a document that somebody wrote, in words: each problem with the field it is about."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

MOST_TOLD = 5


def flaws_in(error: ValidationError, models: Iterable[type[BaseModel]], whole: str = "") -> str:
    """Return the first few problems; *whole* stands for the document itself.

    A field that is none gets the name of the one of *models* it was perhaps meant to be.
    """
    told = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:MOST_TOLD]:
        words = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            words = _unknown(str(problem["loc"][-1]), models)
        field = ".".join(map(str, problem["loc"])) or whole
        told.append(f"{field}: {words}" if field else words)
    return "; ".join(told)


def _unknown(name: str, models: Iterable[type[BaseModel]]) -> str:
    known = sorted({field for model in models for field in model.model_fields})
    meant = get_close_matches(name, known, n=1)
    return "there is no such field" + (f"; do you mean {meant[0]}?" if meant else "")
