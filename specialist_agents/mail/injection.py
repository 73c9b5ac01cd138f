"""Does a mail speak to a language model rather than to its reader?

Rules over the text, shown and hidden. They find the common forms and no more: `none` is never certain.
"""

import re
from collections.abc import Iterator

from specialist_agents.mail.judging import Judgement
from specialist_agents.mail.mime import Mail

LIKELY, SUSPECTED, NONE = "likely", "suspected", "none"
_LIKELY_FROM, _SUSPECTED_FROM = 75, 40

_PHRASES: tuple[tuple[str, int, str], ...] = (
    (
        (
            r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|prior|above|earlier|your|all)\b.{0,20}"
            r"\b(?:instructions?|prompts?|rules|guidelines)\b"
        ),
        80,
        "it says to ignore instructions",
    ),
    (r"\bignorier\w*\b.{0,40}\b(?:anweisung|instruktion|regel)\w*", 80, "it says to ignore instructions"),
    (r"<\|(?:im_start|im_end|system|assistant|endoftext)\|>|\[/?INST\]|<<SYS>>", 85, "it has a model's control words"),
    (r"(?m)^\s*(?:#+\s*)?(?:system|assistant)\s*(?:prompt|message)?\s*:", 45, "a line begins like a model's role"),
    (r"\byou are (?:now|no longer)\b.{0,60}\b(?:assistant|model|ai|mode|bot|agent)\b", 60, "it gives a model a role"),
    (r"\b(?:system|hidden|initial) prompt\b", 50, "it speaks of a system prompt"),
    (
        (
            r"\b(?:ai|llm|language model|assistant|chatbot|copilot)s?\b.{0,60}\b(?:must|should|shall|please)\b.{0,60}"
            r"\b(?:forward|send|reply|reveal|delete|mark|classify|approve|summari[sz]e)\b"
        ),
        60,
        "it tells an assistant what to do",
    ),
    (
        (
            r"\b(?:do not|don't|never)\b.{0,20}\b(?:tell|mention|show|inform|alert)\b.{0,30}"
            r"\b(?:user|human|reader|recipient)"
        ),
        60,
        "it asks to keep something from the reader",
    ),
    (
        (
            r"\b(?:forward|send|export|reveal)\b.{0,40}\b(?:all|every|the)\b.{0,30}"
            r"\b(?:password|credential|api key|token|inbox|mailbox|contacts?)\w*"
        ),
        45,
        "it asks for secrets or the mailbox",
    ),
    (r"\bclassif\w+ (?:this|the) (?:mail|email|message) as\b", 55, "it says how to be classified"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), weight, words) for pattern, weight, words in _PHRASES)
_TAGS = re.compile("[\U000e0020-\U000e007f]{4,}")
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_MANY_INVISIBLE = 20


def injection_of(mail: Mail) -> Judgement:
    """Return `likely`, `suspected` or `none`."""
    signs = list(_signs(mail))
    doubt = 1.0
    for weight, _ in signs:
        doubt *= 1 - weight / 100
    score = round(100 * (1 - doubt))
    reasons = [words for _, words in signs]
    if score >= _LIKELY_FROM:
        return Judgement(LIKELY, min(score, 98), reasons)
    if score >= _SUSPECTED_FROM:
        return Judgement(SUSPECTED, score, reasons)
    return Judgement(NONE, 75 if not signs else 60, reasons or ["none of the known forms"])


def _signs(mail: Mail) -> Iterator[tuple[int, str]]:
    shown = f"{mail.header('Subject')}\n{mail.text}"
    for pattern, weight, words in _PATTERNS:
        if pattern.search(shown):
            yield weight, words
        elif pattern.search(mail.hidden):
            yield min(weight + 30, 95), f"in text that is not shown, {words}"
    if _TAGS.search(shown) or _TAGS.search(mail.hidden):
        yield 85, "it has text in invisible tag characters"
    if len(_INVISIBLE.findall(shown)) >= _MANY_INVISIBLE:
        yield 25, "it has many invisible characters"
