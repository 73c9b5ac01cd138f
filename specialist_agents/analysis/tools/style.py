"""Measure which conventions the code follows, and report what follows another.

Nobody but its authors knows which of two conventions is meant. Where one clearly dominates, it is;
where none does, the review stops with a question instead of a guess, and is run again with the
answer. One question at a time: an answer is then never for two things.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specialist_agents.analysis.model import Bench, Remark, Span, Tool, Undecided
from specialist_agents.analysis.sources import Source

CLEAR_SHARE = 0.8
"""A convention followed in at least this share of the places is the one that is meant."""
CONFIDENCE = 85

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (*_DEFINITIONS, ast.ClassDef, ast.Module)
_CAMEL = re.compile(r"_*[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+_*")
_SNAKE = re.compile(r"_*[a-z][a-z0-9]*(?:_[a-z0-9]+)+_*")
_DOCSTRINGS = {
    "google": re.compile(r"^\s*(?:Args|Arguments|Returns|Raises|Yields):\s*$", re.MULTILINE),
    "numpy": re.compile(r"^\s*(?:Parameters|Returns|Raises|Yields)\n\s*-{3,}\s*$", re.MULTILINE),
    "sphinx": re.compile(r"^\s*:(?:param|type|returns?|rtype|raises?)\b[^:\n]*:", re.MULTILINE),
}


@dataclass(frozen=True, slots=True)
class Use:
    """One place that follows one variant of a convention."""

    source: Source
    variant: str
    span: Span
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Convention:
    """Something code does in one of several ways: its kind of finding, its variants, how it is measured."""

    kind: str
    what: str
    variants: Mapping[str, str]
    uses: Callable[[Source, str], Iterator[Use]]


def _quotes(source: Source, code: str) -> Iterator[Use]:
    """Yield the strings whose quotes were a free choice: one line, no quote inside, no f-string."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type != tokenize.STRING:
            continue
        body = token.string.lstrip("rRbBuUfF")
        prefix = token.string[: -len(body)].lower()
        if "f" in prefix or body.startswith(('"""', "'''")) or {"'", '"'} & set(body[1:-1]):
            continue
        variant = "double" if body.startswith('"') else "single"
        yield Use(source, variant, _token_span(token))


def _indentation(source: Source, code: str) -> Iterator[Use]:
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.INDENT:
            yield Use(source, "tabs" if "\t" in token.string else "spaces", _token_span(token))


def _docstrings(source: Source, code: str) -> Iterator[Use]:
    for node in _nodes(code):
        if not isinstance(node, _DOCUMENTED) or not (text := ast.get_docstring(node)):
            continue
        variant = next((name for name, pattern in _DOCSTRINGS.items() if pattern.search(text)), None)
        if variant:
            yield Use(source, variant, _node_span(node.body[0]), getattr(node, "name", None))


def _naming(source: Source, code: str) -> Iterator[Use]:
    """Yield the functions whose name tells a convention; one word follows all."""
    for node in _nodes(code):
        if isinstance(node, _DEFINITIONS):
            camel, snake = _CAMEL.fullmatch(node.name), _SNAKE.fullmatch(node.name)
            if camel or snake:
                yield Use(source, "camel" if camel else "snake", _node_span(node), node.name)


CONVENTIONS: dict[str, Convention] = {
    "indentation": Convention("indentation-style", "indentation", {"spaces": "spaces", "tabs": "tabs"}, _indentation),
    "quotes": Convention("quote-style", "quotes", {"double": "double quotes", "single": "single quotes"}, _quotes),
    "docstrings": Convention(
        "docstring-style",
        "docstring sections",
        {"google": "Google's style", "numpy": "numpy's style", "sphinx": "Sphinx fields"},
        _docstrings,
    ),
    "naming": Convention("naming-style", "names of functions", {"snake": "snake_case", "camel": "camelCase"}, _naming),
}


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Yield what follows another convention than the code's; raises Undecided where nobody can tell which it is."""
    texts = [(source, _text(source)) for source in sources]
    measured = {}
    for name, convention in CONVENTIONS.items():
        bench.progress(f"measuring {convention.what}")
        measured[name] = [use for source, code in texts for use in convention.uses(source, code)]
    meant = {name: _meant(name, uses, bench.decided) for name, uses in measured.items()}
    for name, uses in measured.items():
        yield from _remarks(CONVENTIONS[name], uses, meant[name])


def _meant(name: str, uses: Sequence[Use], decided: Mapping[str, str]) -> str:
    """Return the variant that is meant: the one decided, else the one that dominates."""
    counts = Counter(use.variant for use in uses)
    if name in decided or not counts:
        return decided.get(name, "")
    [(variant, count)] = counts.most_common(1)
    if count / len(uses) >= CLEAR_SHARE:
        return variant
    raise Undecided(_question(name, uses, counts))


def _question(name: str, uses: Sequence[Use], counts: Mapping[str, int]) -> dict[str, object]:
    convention = CONVENTIONS[name]
    choices = []
    for variant, label in convention.variants.items():
        if variant in counts:
            first = next(use for use in uses if use.variant == variant)
            place = f"{first.source.name}:{first.span.start_line}"
            choices.append({"id": variant, "text": f"{label}, {_places(counts[variant])}, first at {place}"})
    text = f"The code follows several conventions for {convention.what}. Which one is meant?"
    return {"convention": name, "text": text, "choices": choices}


def _places(count: int) -> str:
    return "in 1 place" if count == 1 else f"in {count} places"


def _remarks(convention: Convention, uses: Sequence[Use], meant: str) -> Iterator[Remark]:
    """Yield one remark a statement: the second string of a line is no news."""
    seen: set[tuple[str, int]] = set()
    for use in uses:
        place = use.source.name, use.source.statement(use.span.start_line)
        if use.variant == meant or place in seen:
            continue
        seen.add(place)
        found, wanted = convention.variants[use.variant], convention.variants[meant]
        yield Remark(
            source=use.source,
            rule=f"{convention.kind}-{use.variant}",
            kind=convention.kind,
            message=f"{found} where the code's convention for {convention.what} is: {wanted}",
            span=use.span,
            severity="info",
            confidence=CONFIDENCE,
            name=use.name,
        )


def _text(source: Source) -> str:
    with tokenize.open(source.path) as file:
        return file.read()


def _nodes(code: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(code))


def _token_span(token: tokenize.TokenInfo) -> Span:
    return Span.of(token.start[0], token.start[1] + 1, token.end[0], token.end[1] + 1)


def _node_span(node: ast.stmt) -> Span:
    return Span.of(node.lineno, node.col_offset + 1)


TOOL = Tool(name="style", review=review)
