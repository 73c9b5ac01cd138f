"""Look for dead code with vulture, over all files together.

Stubs are left out: nothing in them is ever used. Vulture knows its own doubt, so its percentage
is ours.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from typing_extensions import override
from vulture import Vulture

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source
from specialist_agents.analysis.vocabulary import own_kind

MIN_CONFIDENCE = 60

#: Vulture's type of item: (kind, severity).
KINDS: dict[str, tuple[str, str]] = {
    "attribute": ("unused-attribute", "info"),
    "class": ("unused-class", "low"),
    "function": ("unused-function", "low"),
    "import": ("unused-import", "low"),
    "method": ("unused-method", "low"),
    "property": ("unused-property", "low"),
    "unreachable_code": ("unreachable-code", "medium"),
    "variable": ("unused-variable", "low"),
}

#: Vulture calls parameters variables, and is sure of nothing else called so.
ARGUMENT = ("unused-argument", "low")
SURE = 100


class _Scan(Vulture):  # type: ignore[misc]  # vulture ships no types
    """Vulture that tells how far it is."""

    def __init__(self, progress: Callable[[], None]) -> None:
        super().__init__()
        self._progress = progress

    @override
    def scan(self, code: str, filename: Any = "") -> None:
        self._progress()
        super().scan(code, filename=filename)


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Run vulture over all sources and yield its remarks."""
    by_path = {str(source.path): source for source in sources}
    counts = iter(range(len(by_path)))

    def progress() -> None:
        # It scans white lists of its own after our files.
        if (count := next(counts, None)) is not None:
            bench.progress(f"{count} of {len(by_path)} files")

    vulture = _Scan(progress)
    with contextlib.redirect_stderr(io.StringIO()):  # its complaints are findings of ours already
        vulture.scavenge(list(by_path))
    for item in vulture.get_unused_code(min_confidence=MIN_CONFIDENCE):
        if source := by_path.get(str(item.filename)):
            yield remark(source, item)


def remark(source: Source, item: Any) -> Remark:
    """Translate one of vulture's items."""
    kind, severity = kind_of(item.typ, item.confidence)
    return Remark(
        source=source,
        rule=item.typ.replace("_", "-"),
        kind=kind,
        message=item.message,
        span=Span.of(item.first_lineno, 1, item.last_lineno),
        severity=severity,
        confidence=item.confidence,
        name=item.name,
    )


def kind_of(typ: str, confidence: int) -> tuple[str, str]:
    """Return the kind and severity of an item."""
    if typ == "variable" and confidence == SURE:
        return ARGUMENT
    return KINDS.get(typ, (own_kind("vulture", typ), "low"))


TOOL = Tool(name="vulture", review=review, reads_stubs=False)
