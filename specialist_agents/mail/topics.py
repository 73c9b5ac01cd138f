"""What a mail is about, and who should handle it: two tables of rules.

A pattern found in the subject counts twice. The kind with the most points wins, the first in the table
among equals.
"""

import re
from dataclasses import dataclass

from specialist_agents.mail.audience import AUTOMATIC, BULK
from specialist_agents.mail.judging import Judgement
from specialist_agents.mail.mime import Mail, media_type_of


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mail, who handles it, and the words it is known by."""

    name: str
    owner: str
    words: re.Pattern[str]


def _kind(name: str, owner: str, *words: str) -> Kind:
    return Kind(name, owner, re.compile(rf"\b(?:{'|'.join(words)})", re.IGNORECASE))


KINDS: tuple[Kind, ...] = (
    _kind(
        "outage",
        "operations",
        r"outage\b",
        r"is down\b",
        r"unreachable",
        r"incident\b",
        r"disk (?:is )?(?:almost )?full",
        r"ausfall",
        r"störung",
    ),
    _kind(
        "security",
        "security",
        r"vulnerabilit",
        r"breach",
        r"compromised",
        r"unusual sign-?in",
        r"malware",
        r"leaked",
        r"phishing",
        r"sicherheitsl",
    ),
    _kind(
        "invoice",
        "accounting",
        r"invoices?\b",
        r"rechnung",
        r"payment (?:is )?due",
        r"overdue",
        r"remittance",
        r"mahnung",
        r"credit note",
        r"bank details",
    ),
    _kind(
        "contract",
        "legal",
        r"contract\b",
        r"agreement\b",
        r"\bnda\b",
        r"terms of (?:service|use)",
        r"gdpr",
        r"data protection",
        r"lawyer",
        r"vertrag",
        r"kündigung",
    ),
    _kind(
        "application",
        "people",
        r"job application",
        r"application for",
        r"my (?:cv|résumé|resume)\b",
        r"curriculum vitae",
        r"bewerbung",
        r"interview",
    ),
    _kind(
        "meeting",
        "calendar",
        r"meeting\b",
        r"invitation:",
        r"reschedul",
        r"agenda\b",
        r"calendar invite",
        r"besprechung",
        r"termin\b",
    ),
    _kind(
        "order",
        "sales",
        r"purchase order",
        r"quotation\b",
        r"quote for",
        r"price list",
        r"place an order",
        r"bestellung",
        r"angebot",
    ),
    _kind(
        "support",
        "support",
        r"does(?: not|n't) work",
        r"cannot (?:log ?in|open|access)",
        r"can't (?:log ?in|open|access)",
        r"error message",
        r"bug\b",
        r"help with",
        r"reset my password",
        r"funktioniert nicht",
    ),
    _kind(
        "newsletter", "nobody", r"newsletter", r"unsubscribe", r"this week in", r"special offer", r"% off\b", r"webinar"
    ),
    _kind(
        "notification",
        "nobody",
        r"build (?:passed|failed|succeeded)",
        r"has been (?:shipped|delivered|updated|merged)",
        r"your receipt",
        r"weekly report",
        r"backup (?:completed|finished)",
        r"commented on",
    ),
)
OTHER = "other"
_BY_FORM = {"bounce": "mail-administration", "auto-reply": "nobody", OTHER: "inbox"}
OWNERS: dict[str, str] = {kind.name: kind.owner for kind in KINDS} | _BY_FORM
_SUBJECT_POINTS, _TEXT_POINTS, _MOST_OF_TEXT = 2, 1, 3
_READ_CHARACTERS = 20_000


def kind_of(mail: Mail, audience: Judgement) -> Judgement:
    """Return what the mail is about."""
    return _by_form(mail, audience) or _by_words(mail, audience)


def owner_of(kind: Judgement, authentication: str, injection: str) -> Judgement:
    """Return who should handle the mail: the owner of its kind, unless it is suspicious."""
    if injection == "likely":
        return Judgement("security", 90, ["it speaks to a language model"])
    if authentication == "fail" and kind.value not in {"newsletter", "auto-reply", "bounce"}:
        return Judgement("security", 80, ["it fails the authentication of its sender"])
    return Judgement(OWNERS[kind.value], kind.confidence, [f"{kind.value} goes to {OWNERS[kind.value]}"])


def _by_form(mail: Mail, audience: Judgement) -> Judgement | None:
    if media_type_of(mail.root) == "multipart/report":
        return Judgement("bounce", 98, ["it is a delivery report"])
    if audience.value == AUTOMATIC and audience.confidence >= 98:
        return Judgement("auto-reply", 95, audience.reasons)
    if any(media_type_of(part) == "text/calendar" for part in mail.parts):
        return Judgement("meeting", 95, ["it has a calendar entry"])
    return None


def _by_words(mail: Mail, audience: Judgement) -> Judgement:
    subject, text = mail.header("Subject"), mail.text[:_READ_CHARACTERS]
    points = {kind.name: _points(kind, subject, text) for kind in KINDS}
    if audience.value == BULK:
        points["newsletter"] += 2
    if audience.value == AUTOMATIC:
        points["notification"] += 2
    best, second = sorted(points.values(), reverse=True)[:2]
    if not best:
        return Judgement(OTHER, 50, ["no rule matches"])
    name = next(name for name, count in points.items() if count == best)
    confidence = min(95, 50 + 8 * best + 5 * (best - second))
    reasons = [f"{best} points for {name}"]
    if second:
        reasons.append(f"{second} for the next kind")
    if found := next(kind for kind in KINDS if kind.name == name).words.search(subject):
        reasons.append(f"the subject says {found[0]!r}")
    return Judgement(name, confidence, reasons)


def _points(kind: Kind, subject: str, text: str) -> int:
    in_subject = _SUBJECT_POINTS if kind.words.search(subject) else 0
    in_text = len({found.lower() for found in kind.words.findall(text)[:100]})
    return in_subject + _TEXT_POINTS * min(in_text, _MOST_OF_TEXT)
