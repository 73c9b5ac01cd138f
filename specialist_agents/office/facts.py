"""The program behind the agent `facts`: numbers, dates and names of a text that its sources do not hold.

It compares and does not know: what is in no source may still be true, and a number that is there may be said of
something else. Without a source it says that nothing was compared.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specialist_agents.office.numbers import Found, dates_in, numbers_in
from specialist_agents.office.remarks import SCHEMA, Remark, items
from specialist_agents.office.sources import sources_of, texts_of
from specialist_agents.office.texts import File, Sentence, sentences, words

__all__ = ["SCHEMA", "items_of"]

_NAME = re.compile(r"(?<![.!?…:“\"'] )(?<!^)\b([A-ZÄÖÜ][\w'-]+(?:\s+[A-ZÄÖÜ][\w'-]+)*)")
_CALENDAR = """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december i i'm i've i'll
"""
_NO_NAMES = frozenset(_CALENDAR.split())


@dataclass(slots=True)
class Known:
    """What the sources hold."""

    words: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    by_unit: dict[str, set[str]] = field(default_factory=dict)  #: the numbers said before a word


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield a remark for every number, date and name of a text that is in no source."""
    sources = sources_of(files)
    known = _known(sources)
    for file in texts_of(files):
        if not sources:
            told = "nothing was compared: no file is called source…"
            yield from items("facts", file, [Remark("no-source", "info", 100, told, file.name, 1)])
            continue
        yield from items("facts", file, _remarks(file.text, known))


def _known(sources: Sequence[File]) -> Known:
    known = Known()
    for source in sources:
        known.words.update(map(str.lower, words(source.text)))
        for sentence in sentences(source.text):
            dates = list(dates_in(sentence.text))
            known.dates.update(date.value for date in dates)
            for number in numbers_in(sentence.text, dates):
                known.numbers.add(number.value)
                known.by_unit.setdefault(number.unit, set()).add(number.value)
    return known


def _remarks(text: str, known: Known) -> Iterator[Remark]:
    for sentence in sentences(text):
        dates = list(dates_in(sentence.text))
        for date in dates:
            if date.value not in known.dates:
                told = f"the date {date.written} is in no source"
                yield Remark("date-not-in-source", "high", 85, told, sentence.text, sentence.line)
        for number in numbers_in(sentence.text, dates):
            if number.value not in known.numbers:
                told = f"the number {number.written} is in no source{_instead(number, known.by_unit)}"
                yield Remark("number-not-in-source", "high", 85, told, sentence.text, sentence.line)
        yield from _names(sentence, known)


def _instead(number: Found, by_unit: Mapping[str, set[str]]) -> str:
    others = sorted(by_unit.get(number.unit, ())) if number.unit else []
    return f"; with {number.unit!r} the sources have {', '.join(others[:3])}" if others else ""


def _names(sentence: Sentence, known: Known) -> Iterator[Remark]:
    for match in _NAME.finditer(sentence.text):
        if match[1].isupper():
            continue  # shouting, or an acronym anybody may use
        unknown = [word for word in words(match[1]) if word.lower() not in known.words | _NO_NAMES]
        if unknown:
            told = f"the name {match[1]} is in no source"
            yield Remark("name-not-in-source", "medium", 60, told, sentence.text, sentence.line)
