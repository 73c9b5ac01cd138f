"""Files as texts, and texts as paragraphs, sentences and words, for English and, roughly, German."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_CHARACTERS = 400_000
_STRAIGHT = {0x2018: "'", 0x2019: "'"}
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_END = re.compile(r"[.!?…]+[\"'”)\]]*(?=\s|$)")
_SHORT = """
    mr mrs ms dr prof st no nr vs etc e.g i.e approx inc ltd co corp fig vol art z.b d.h u.a bzw ca dipl ing str usw
"""
_ABBREVIATIONS = frozenset(_SHORT.split())
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s|\||```|---+\s*$|===+\s*$)")
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")


class Unusable(Exception):
    """The files cannot be worked on; the message says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it was sent."""

    name: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as text, cut to what is read at most, apostrophes straight; what is not UTF-8 is replaced."""
        text = self.content.decode("utf-8-sig", "replace")[:MAX_CHARACTERS]
        return text.replace("\r\n", "\n").translate(_STRAIGHT)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence on one line, and the line it begins in, counted from 1."""

    text: str
    line: int

    @property
    def words(self) -> list[str]:
        """Its words as they are written."""
        return words(self.text)


def words(text: str) -> list[str]:
    """Return the words of a text as they are written."""
    return _WORD.findall(text)


def paragraphs(text: str) -> Iterator[Sentence]:
    """Yield each paragraph, and each item of a list, as one line; headings, tables and code are none."""
    held: list[str] = []
    first = 0
    in_code = False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        apart = in_code or not line.strip() or bool(_MARKUP.match(line)) or bool(_BULLET.match(line))
        if apart and held:
            yield Sentence(" ".join(held), first)
            held = []
        if _BULLET.match(line) and not in_code:
            held, first = [_BULLET.sub("", line).strip()], number
        elif not apart:
            first = first if held else number
            held.append(line.strip())


def sentences(text: str) -> Iterator[Sentence]:
    """Yield the sentences of all paragraphs, each with the line its paragraph begins in."""
    for paragraph in paragraphs(text):
        start = 0
        for end in _END.finditer(paragraph.text):
            if _ends(paragraph.text, end):
                yield Sentence(paragraph.text[start : end.end()].strip(), paragraph.line)
                start = end.end()
        if rest := paragraph.text[start:].strip():
            yield Sentence(rest, paragraph.line)


def _ends(text: str, mark: re.Match[str]) -> bool:
    """Whether a full stop ends a sentence: not after an abbreviation, an initial or a number in a date."""
    if mark[0][0] != ".":
        return True
    start = mark.start()
    before = text[text.rfind(" ", max(0, start - 40), start) + 1 : start].lstrip("(\"'“").lower()
    follows = text[mark.end() : mark.end() + 2].lstrip()[:1]
    short = before in _ABBREVIATIONS or (len(before) == 1 and before.isalpha())
    return not short and not (before.isdigit() and follows.islower())


def excerpt(text: str, most: int = 120) -> str:
    """Return a text on one line, as characters that can be printed, cut to *most*."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text[: 4 * most].split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"
