"""How soon somebody should look at a mail: a sum of points, and a level for the sum.

Points are for what a mail says and does, so a stranger can ask for them; words of a mail that fails
authentication count for nothing, and what was sent to many is rarely urgent for one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from specialist_agents.mail.audience import AUTOMATIC, BULK
from specialist_agents.mail.judging import Judgement
from specialist_agents.mail.mime import Mail

LEVELS: tuple[tuple[str, int], ...] = (("critical", 60), ("high", 35), ("normal", 0), ("low", -1_000))
"""The worst first, each with the points it begins at."""

_START = 15
_SOON = re.compile(r"\b(?:urgent|asap|immediately|right away|emergency|dringend|sofort|eilt)\b", re.IGNORECASE)
_TODAY = re.compile(
    r"\b(?:today|tonight|end of (?:the )?day|eod|within (?:\w+ )?(?:\d+ )?hours?|heute|bis heute abend)\b",
    re.IGNORECASE,
)
_THIS_WEEK = re.compile(r"\b(?:tomorrow|by (?:mon|tues|wednes|thurs|fri)day|this week|morgen)\b", re.IGNORECASE)
_LAST = re.compile(r"\b(?:final (?:notice|reminder)|last reminder|overdue|letzte mahnung)\b", re.IGNORECASE)
_BY_KIND = {"outage": 40, "security": 25, "contract": 5, "auto-reply": -40, "bounce": -20, "newsletter": -20}
_READ_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the mail already."""

    kind: str
    audience: str
    authentication: str
    injection: str


def urgency_of(mail: Mail, known: Known) -> Judgement:
    """Return `critical`, `high`, `normal` or `low`."""
    points = list(_points(mail, known))
    score = _START + sum(count for count, _ in points)
    if known.injection == "likely" and score < _level("high"):
        return Judgement("high", 80, ["somebody should see that it speaks to a language model"])
    level = next(name for name, start in LEVELS if score >= start)
    distance = min(abs(score - start) for _, start in LEVELS[:-1])
    reasons = [f"{count:+} {why}" for count, why in sorted(points, key=lambda one: -abs(one[0]))]
    return Judgement(level, min(95, 55 + 2 * distance), reasons or ["nothing asks for haste"])


def _level(name: str) -> int:
    return dict(LEVELS)[name]


def _points(mail: Mail, known: Known) -> Iterator[tuple[int, str]]:
    if count := _BY_KIND.get(known.kind):
        yield count, f"it is of the kind {known.kind}"
    if known.audience == BULK:
        yield -50, "it was sent to many"
    elif known.audience == AUTOMATIC and known.kind not in {"outage", "security"}:
        yield -25, "a program made it"
    if known.authentication == "fail":
        yield -5, "its sender is not who it says; its words do not count"
        return
    if known.audience != BULK:
        yield from _words(mail)


def _words(mail: Mail) -> Iterator[tuple[int, str]]:
    subject, text = mail.header("Subject"), mail.text[:_READ_CHARACTERS]
    if _SOON.search(subject):
        yield 25, "the subject asks for haste"
    elif _SOON.search(text):
        yield 12, "the text asks for haste"
    if _TODAY.search(subject) or _TODAY.search(text):
        yield 15, "it names a time within a day"
    elif _THIS_WEEK.search(subject) or _THIS_WEEK.search(text):
        yield 8, "it names a time within days"
    if _LAST.search(subject) or _LAST.search(text):
        yield 15, "it is a last reminder"
    if _marked_important(mail):
        yield 10, "its sender marked it as important"
    if mail.header("In-Reply-To"):
        yield 5, "it continues a conversation"


def _marked_important(mail: Mail) -> bool:
    said = (mail.header("X-Priority")[:1], mail.header("Importance").lower(), mail.header("Priority").lower())
    return said[0] in {"1", "2"} or said[1] == "high" or said[2] == "urgent"
