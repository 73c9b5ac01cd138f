"""The program behind the agent `grammar`: slips that can be seen without understanding a word.

A word twice, a missing capital, brackets and quotes that do not close, sentences too long to follow, white space in the
wrong place, `a` for `an`. Everything else a grammar knows is not looked for.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from specialist_agents.office.remarks import SCHEMA, Remark, items
from specialist_agents.office.sources import texts_of
from specialist_agents.office.texts import File, Sentence, paragraphs, sentences

__all__ = ["SCHEMA", "items_of"]

LONGEST = 40
"""Words of a sentence that can still be followed."""

_TWICE = re.compile(r"\b([^\W\d_]+)\s+\1\b", re.IGNORECASE)
_TWICE_ON_PURPOSE = "had that bye so very blah ha die der das sie"
_MEANT_TWICE = frozenset(_TWICE_ON_PURPOSE.split())
_PAIRS = {")": "(", "]": "[", "}": "{", "”": "“"}
_NO_AN = re.compile(r"(?i)^(?:uni(?!n|m)|use|usu|usa|eu|one|once|ub|uk|ufo|unanim)")
_AN_ALSO = re.compile(r"(?i)^(?:hour|honest|honou?r|heir)")
_ARTICLE = re.compile(r"\b([Aa]n?) ([A-Za-z]+)")
_SPACING = (
    (re.compile(r"\S\s+[,;:.!?](?=\s|$)"), "a space before the mark"),
    (re.compile(r"[^\W\d_][,;](?=[^\W\d_])"), "no space after the mark"),
)
_MISHEARD = re.compile(r"\b(?:(?:could|should|would|must) of|alot|your welcome|more then|less then)\b", re.IGNORECASE)


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield the remarks about every text, in the order of the texts and of their lines."""
    for file in texts_of(files):
        found = [remark for rule in _RULES for remark in rule(file.text)]
        yield from items("grammar", file, sorted(found, key=lambda remark: remark.line))


def _of_sentences(text: str) -> Iterator[Remark]:
    for sentence in sentences(text):
        yield from _words_twice(sentence)
        first = sentence.text.lstrip("\"'“(*_")[:1]
        if first.islower() and len(sentence.words) > 2:
            yield _remark("missing-capital", "low", 80, "the sentence begins with a small letter", sentence)
        if len(sentence.words) > LONGEST:
            told = f"the sentence has {len(sentence.words)} words; {LONGEST} can still be followed"
            yield _remark("long-sentence", "low", 90, told, sentence)


def _words_twice(sentence: Sentence) -> Iterator[Remark]:
    for match in _TWICE.finditer(sentence.text):
        if match[1].lower() not in _MEANT_TWICE:
            yield Remark("repeated-word", "medium", 95, f"{match[1]!r} is there twice", match[0], sentence.line)


def _of_paragraphs(text: str) -> Iterator[Remark]:
    for paragraph in paragraphs(text):
        yield from _unbalanced(paragraph)
        for pattern, told in _SPACING:
            for match in pattern.finditer(paragraph.text):
                yield Remark("spacing", "low", 75, told, match[0], paragraph.line)
        for match in _MISHEARD.finditer(paragraph.text):
            yield Remark("confused-words", "medium", 90, "these words are often mixed up", match[0], paragraph.line)
        if re.search(r"(?<![\w'])i(?:'(?:m|ve|ll|d))?(?![\w'.])", paragraph.text) and _is_english(paragraph.text):
            yield _remark("missing-capital", "low", 80, "the word I is written with a capital", paragraph)
        yield from _articles(paragraph)


def _unbalanced(paragraph: Sentence) -> Iterator[Remark]:
    held: list[str] = []
    for mark in paragraph.text:
        if mark in _PAIRS.values():
            held.append(mark)
        elif mark in _PAIRS and (not held or held.pop() != _PAIRS[mark]):
            yield _remark("unbalanced", "medium", 85, f"{mark} closes what was not opened", paragraph)
            return
    if held:
        yield _remark("unbalanced", "medium", 85, f"{held[-1]} is not closed", paragraph)
    if paragraph.text.count('"') % 2:
        yield _remark("unbalanced", "medium", 85, "a quotation mark has no partner", paragraph)


def _articles(paragraph: Sentence) -> Iterator[Remark]:
    if not _is_english(paragraph.text):
        return
    for match in _ARTICLE.finditer(paragraph.text):
        article, word = match[1].lower(), match[2]
        if word.isupper():
            continue  # an acronym is spoken as nobody can tell
        vowel = bool(_AN_ALSO.match(word)) or (word[0].lower() in "aeiou" and not _NO_AN.match(word))
        if vowel != (article == "an"):
            told = f"{'an' if vowel else 'a'} is more likely before {word!r}"
            yield Remark("article", "low", 70, told, match[0], paragraph.line)


def _is_english(text: str) -> bool:
    return bool(re.search(r"\b(?:the|and|is|are|to|of)\b", text, re.IGNORECASE))


def _remark(kind: str, severity: str, confidence: int, message: str, where: Sentence) -> Remark:
    return Remark(kind, severity, confidence, message, where.text, where.line)


_RULES = (_of_sentences, _of_paragraphs)
