"""How well a passage answers a question: BM25, as a share of the best score there could be.

Pure. The share is what makes the scores of different sources comparable: 100 would be a passage that is
nothing but the question's words, each often.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specialist_agents.research.passages import Passage
from specialist_agents.research.words import terms_of

K1, B = 1.2, 0.75
"""The usual constants: how soon more of the same word counts no more, and how much the length of a passage counts."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, its score from 1 to 100, and the terms of the question that are in it."""

    passage: Passage
    score: int
    terms: tuple[str, ...]


def ranked(passages: Iterable[Passage], asked: Sequence[str], most: int) -> list[Hit]:
    """Return the *most* best passages for the terms *asked*, the best first, ties in their order."""
    there = list(passages)
    if not there or not asked:
        return []
    counts = [Counter(terms_of(passage.searched)) for passage in there]
    lengths = [max(counted.total(), 1) for counted in counts]
    usual = sum(lengths) / len(lengths)
    weights = {term: _rarity(sum(term in counted for counted in counts), len(there)) for term in asked}
    best = (K1 + 1) * sum(weights.values())
    hits = []
    for passage, counted, length in zip(there, counts, lengths, strict=True):
        terms = tuple(term for term in asked if counted[term])
        dampening = K1 * (1 - B + B * length / usual)
        score = sum(weights[term] * counted[term] * (K1 + 1) / (counted[term] + dampening) for term in terms)
        if share := round(100 * score / best):
            hits.append(Hit(passage, min(share, 100), terms))
    return sorted(hits, key=lambda hit: -hit.score)[:most]


def _rarity(holding: int, passages: int) -> float:
    """Return what a term is worth: the fewer passages hold it, the more; one that none holds is worth most."""
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5))
