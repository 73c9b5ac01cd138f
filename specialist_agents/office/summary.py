"""The program behind the agent `summary`: of each document the two sentences that say most of it.

Extractive: every sentence is the document's own. A sentence weighs what its words weigh on average, and a word what it
is used in the document, words without content left out; the first sentence of a document gets something on top.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from specialist_agents.office.texts import File, Sentence, sentences, words

SCHEMA = "summary/v1"
MOST_SENTENCES = 2
_FIRST = 1.5
_SHORTEST, _LONGEST = 5, 45
_SENTENCE_CHARACTERS = 600
_WORDS = """
    a about after all also am an and any are as at be because been but by can could did do does for from had has have
    he her him his how i if in into is it its just like may me more most my no not now of on one only or other our out
    over said same she should so some such than that the their them then there these they this those to too under up us
    very was we were what when where which while who will with would you your
    aber als am an auch auf aus bei bis da das dass dem den der des die dies ein eine einem einen einer er es für haben
    hat ich ihr im in ist ja kann mit nach nicht noch nur oder sein sich sie sind so um und uns von vor war was wenn wie
    wir wird zu zum zur
"""
_EMPTY = frozenset(_WORDS.split())


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield one summary for each document, in their order."""
    for file in files:
        found = list(sentences(file.text))
        yield {
            "document": file.name,
            "digest": sha256(file.content).hexdigest()[:32],
            "summary": " ".join(sentence.text[:_SENTENCE_CHARACTERS] for sentence in _chosen(found)),
            "sentences": len(found),
            "words": len(words(file.text)),
        }


def _chosen(found: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences that weigh most, in the order they stand in."""
    used = Counter(word for sentence in found for word in _content(sentence))
    usable = [number for number, sentence in enumerate(found) if _SHORTEST <= len(sentence.words) <= _LONGEST]
    ranked = sorted(usable or range(len(found)), key=lambda number: (-_weight(number, found, used), number))
    return [found[number] for number in sorted(ranked[:MOST_SENTENCES])]


def _weight(number: int, found: Sequence[Sentence], used: Counter[str]) -> float:
    content = _content(found[number])
    # Half the length counts as well: else the shortest sentence with one frequent word would win.
    weight = sum(used[word] for word in content) / (len(content) + 4)
    return weight * (_FIRST if number == 0 else 1.0)


def _content(sentence: Sentence) -> list[str]:
    return [word for word in map(str.lower, sentence.words) if word not in _EMPTY and len(word) > 1]
