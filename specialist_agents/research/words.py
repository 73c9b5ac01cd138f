"""Words of a text as they are compared: identifiers in their parts, without endings, without filler.

The same for questions and for what is searched. No language model, no dictionary: the rule is in `docs/research.md`.
"""

import re
from collections.abc import Iterator

_IDENTIFIER = re.compile(r"[^\W\d_][^\W_]*(?:_+[^\W_]+)*|\d+(?:\.\d+)*")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\da-zA-Z_]+")
_ENDING = re.compile(r"(?<=...)(?:ing|ed|es|(?<!s)s|e)$")
_NAME = re.compile(r"`([^`\s]{2,100})`|\"([^\"\n]{2,100})\"|\b(\w+_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b")
FILLER = frozenset(
    word
    for words in (
        "a about all an and any are as at be been but by can could did do does for from had has have how i if in into",
        "is it its me my of on or our should so than that the their them then there these they this those to us was",
        "we were what when where which who why will with would you your",
    )
    for word in words.split()
)


def terms_of(text: str) -> Iterator[str]:
    """Yield the terms of *text*: every word by its stem, an identifier also as a whole."""
    for match in _IDENTIFIER.finditer(text):
        word = match[0]
        parts = _HUMP.findall(word)
        if len(parts) > 1:
            yield word.lower()
        for part in parts:
            if (lower := part.lower()) not in FILLER:
                yield stem(lower)


def asked_terms(question: str) -> tuple[str, ...]:
    """Return the different terms of a question, in their order."""
    return tuple(dict.fromkeys(terms_of(question)))


def names_in(question: str) -> tuple[str, ...]:
    """Return what a question names exactly: words in quotes or backticks, and identifiers."""
    found = (next(filter(None, match.groups())) for match in _NAME.finditer(question))
    return tuple(dict.fromkeys(found))


def stem(word: str) -> str:
    """Return a word without its endings: `merge`, `merged` and `merging` are one; at least three letters stay."""
    if word.endswith("ies") and len(word) > 4:
        word = word.removesuffix("ies") + "y"
    while (shorter := _ENDING.sub("", word)) != word:
        word = shorter
    return word
