"""How good a report about the corpus is: what it holds against what was planted.

Pure but for reading the corpus. A finding is about something when it names the same path, kind and statement,
and the same symbol where the corpus says one. Only findings of the corpus' own kinds are judged: of other kinds it
does not say what is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coordinator.config import PACKAGE

CORPUS = PACKAGE / "corpus"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Label:
    """One entry of the corpus: a defect, or a decoy."""

    path: str
    line: int
    kind: str
    code: str
    symbol: str = ""
    tools: tuple[str, ...] = ()
    fine: str = ""

    def is_meant_by(self, finding: Json) -> bool:
        """Whether *finding* (raw or merged) is about this."""
        place = Path(finding["path"]).name, finding["statement"], finding["kind"]
        return place == (self.path, self.line, self.kind) and self.symbol in {"", finding.get("symbol", "")}


@dataclass(frozen=True)
class Corpus:
    """What was planted, and what only looks like it."""

    defects: tuple[Label, ...]
    decoys: tuple[Label, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds it says everything about."""
        return frozenset(label.kind for label in self.defects)


@dataclass(frozen=True)
class Score:
    """What became of the corpus in one report."""

    planted: int
    missed: tuple[Label, ...]
    decoys: tuple[Label, ...]  #: those reported
    judged: int  #: findings of the corpus' kinds
    wrong: int  #: of these, about anything but a planted defect
    beyond: int  #: findings of other kinds

    @property
    def found(self) -> int:
        """How many planted defects are reported."""
        return self.planted - len(self.missed)

    @property
    def recall(self) -> float:
        """The share of the planted defects that is reported."""
        return self.found / self.planted

    @property
    def precision(self) -> float:
        """The share of the judged findings that is about a planted defect."""
        return 1 - self.wrong / self.judged if self.judged else 1.0


def read_corpus() -> Corpus:
    """Return the corpus that ships."""
    told = yaml.safe_load((CORPUS / "expected.yaml").read_text(encoding="utf-8"))
    return Corpus(tuple(_label(entry) for entry in told["defects"]), tuple(_label(entry) for entry in told["decoys"]))


def _label(entry: dict[str, Any]) -> Label:
    return Label(**{**entry, "tools": tuple(entry.get("tools", ()))})


def score(corpus: Corpus, findings: Iterable[Json]) -> Score:
    """Judge *findings*: raw ones, or the items of a merged report."""
    told = list(findings)
    judged = [finding for finding in told if finding["kind"] in corpus.kinds]
    return Score(
        planted=len(corpus.defects),
        missed=tuple(label for label in corpus.defects if not any(map(label.is_meant_by, judged))),
        decoys=tuple(label for label in corpus.decoys if any(map(label.is_meant_by, judged))),
        judged=len(judged),
        wrong=sum(not any(label.is_meant_by(finding) for label in corpus.defects) for finding in judged),
        beyond=len(told) - len(judged),
    )
