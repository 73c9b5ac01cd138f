"""Measure cyclomatic complexity with radon, and report the functions of grade C and worse.

The threshold is radon's own (more than 10), which is also where ruff's C901 begins. Classes are
left out: their number is only the average of their methods.
"""

import tokenize
from collections.abc import Iterator, Sequence

from radon.complexity import add_inner_blocks, cc_rank, cc_visit
from radon.visitors import Function

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

#: Radon's grade: (severity, confidence).
GRADES: dict[str, tuple[str, int]] = {
    "C": ("low", 80),
    "D": ("medium", 85),
    "E": ("high", 90),
    "F": ("high", 95),
}


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Measure every function of the sources and yield the complex ones."""
    for count, source in enumerate(sources):
        bench.progress(f"{count} of {len(sources)} files")
        with tokenize.open(source.path) as file:
            blocks = add_inner_blocks(cc_visit(file.read()))
        for block in blocks:
            if isinstance(block, Function):
                yield from remarks(source, block)


def remarks(source: Source, block: Function) -> Iterator[Remark]:
    """Yield a remark about one function if its grade is C or worse."""
    grade = cc_rank(block.complexity)
    if grade not in GRADES:
        return
    severity, confidence = GRADES[grade]
    yield Remark(
        source=source,
        rule=f"CC-{grade}",
        kind="complex-function",
        message=f"{block.fullname} is too complex: {block.complexity}, grade {grade}",
        span=Span.of(block.lineno, block.col_offset + 1, block.endline),
        severity=severity,
        confidence=confidence,
        name=block.name.rpartition(".")[2],
    )


TOOL = Tool(name="radon", review=review)
