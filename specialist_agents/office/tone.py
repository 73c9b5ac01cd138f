"""The program behind the agent `tone`: how a text may sound to who reads it, by lists of words and by form.

Shouting, insults, pressure, condescension, hedging. Irony, context and culture are beyond it, and the lists are short
and English; a clean report says that nothing on the lists was found.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from specialist_agents.office.remarks import SCHEMA, Remark, items
from specialist_agents.office.sources import texts_of
from specialist_agents.office.texts import File, Sentence, sentences

__all__ = ["SCHEMA", "items_of"]

_SHOUTED = re.compile(r"\b[A-ZÄÖÜ]{3,}(?:[\s,]+[A-ZÄÖÜ]{2,}){2,}\b")
_MARKS = re.compile(r"!{2,}|\?{3,}|(?:[!?]{3,})")
_INSULTS = "idiots?|stupid|morons?|incompetent|pathetic|ridiculous|useless|liars?|clowns?|shut up|dumb"
_PRESSURE = "last warning|or else|act now|asap|immediately|no excuses|final notice|you must|you have to|without delay"
_CONDESCENSION = "|".join(
    (
        "obviously",
        "as (?:i|we) (?:already|have already) (?:said|explained)",
        "per my last e-?mail",
        "everybody knows",
        "simply put",
        "any child",
        "how hard can it be",
        "you failed to",
    )
)
_HEDGING = (
    "maybe|perhaps|possibly|probably|sort of|kind of|somewhat|it seems|i (?:think|guess|believe)|might|more or less"
)


def _any_of(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


_WORDS = (
    ("insult", "high", 85, "this is an insult", _any_of(_INSULTS)),
    ("pressure", "medium", 70, "this puts pressure on the reader", _any_of(_PRESSURE)),
    ("condescension", "medium", 65, "this may sound as if the reader were slow", _any_of(_CONDESCENSION)),
)
_HEDGES = _any_of(_HEDGING)
MOST_HEDGES = 1
"""In one sentence; more are told."""


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield the remarks about every text, in the order of the texts and of their lines."""
    for file in texts_of(files):
        found = (remark for sentence in sentences(file.text) for remark in _remarks(sentence))
        yield from items("tone", file, found)


def _remarks(sentence: Sentence) -> Iterator[Remark]:
    for pattern, told in ((_SHOUTED, "capitals read as shouting"), (_MARKS, "so many marks read as shouting")):
        for match in pattern.finditer(sentence.text):
            yield Remark("shouting", "medium", 80, told, match[0], sentence.line)
    for kind, severity, sure, told, pattern in _WORDS:
        for match in pattern.finditer(sentence.text):
            yield Remark(kind, severity, sure, f"{told}: {match[0]!r}", sentence.text, sentence.line)
    hedges = _HEDGES.findall(sentence.text)
    if len(hedges) > MOST_HEDGES:
        told = f"{len(hedges)} words take back what the sentence says: {', '.join(hedges)}"
        yield Remark("hedging", "low", 60, told, sentence.text, sentence.line)
