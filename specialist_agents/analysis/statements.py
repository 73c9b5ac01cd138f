"""Which statement does a line belong to, and what is defined or imported there?

Tools point at different lines of the same mistake: at the call, at its third argument, at the
alias in a parenthesised import, at the decorator. The first line of the enclosing statement is
where they agree. Only statements are walked, without recursion, so deep code costs no stack.
"""

import ast
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")

_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Alias:
    """One name of an import statement: where it stands, what it was called, what it is bound to."""

    line: int
    column: int
    end_line: int
    end_column: int
    imported: str
    bound: str

    def covers(self, line: int, column: int) -> bool:
        """Say whether a position (column counted from 0) lies on this name."""
        return (self.line, self.column) <= (line, column) < (self.end_line, self.end_column)


class StatementIndex:
    """The statements of one file by line, with the names they define and import."""

    def __init__(self, tree: ast.Module, text: str) -> None:
        lines = _LINE_END.split(text)
        self._has_code = bytearray(_has_code(line) for line in lines)
        self._owner = array("L", bytes(array("L").itemsize * (len(lines) + 2)))
        self._definitions: dict[int, str] = {}
        self._aliases: dict[int, list[Alias]] = {}
        self._defaults: dict[tuple[int, int], str] = {}
        for node in _statements(tree):
            self._index(node)

    def first_line(self, line: int) -> int:
        """Return the first line of the statement that *line* belongs to, or *line* itself."""
        if 0 < line < len(self._owner) and self._owner[line]:
            return self._owner[line]
        return max(line, 1)

    def defined_at(self, statement: int) -> str | None:
        """Return the function or class whose header starts at *statement*."""
        return self._definitions.get(statement)

    def bound_at(self, line: int, column: int, imported: str) -> str | None:
        """Return the name an import binds, found by position, else by what was imported."""
        aliases = self._aliases.get(self.first_line(line), [])
        by_position = (alias.bound for alias in aliases if alias.covers(line, column - 1))
        by_name = (alias.bound for alias in aliases if imported in {alias.imported, alias.bound})
        return next(by_position, None) or next(by_name, None)

    def argument_of_default(self, line: int, column: int) -> str | None:
        """Return the parameter whose default value starts at this position."""
        return self._defaults.get((line, column - 1))

    def _index(self, node: ast.stmt) -> None:
        blocks = list(_blocks(node))
        if not blocks:
            self._paint(node.lineno, node.end_lineno or node.lineno, node.lineno)
        for first, body_first, owner in blocks:
            self._paint(first, max(owner, body_first - 1), owner, code_only=True)
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._aliases.setdefault(self.first_line(node.lineno), []).extend(_aliases(node))
        elif isinstance(node, _DEFINITION):
            self._definitions[node.lineno] = node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._defaults.update(_defaults(node.args))

    def _paint(self, first: int, last: int, owner: int, *, code_only: bool = False) -> None:
        for line in range(first, min(last, len(self._owner) - 1) + 1):
            if not self._owner[line] and (line == owner or not code_only or self._has_code[line - 1]):
                self._owner[line] = owner


def _has_code(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement in the order of the text."""
    pending = list(reversed(tree.body))
    while pending:
        node = pending.pop()
        yield node
        inner = [statement for body in _bodies(node) for statement in body]
        pending.extend(reversed(inner))


def _bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for clause in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        for field in ("body", "orelse", "finalbody"):
            yield getattr(clause, field, [])


def _blocks(node: ast.stmt) -> Iterator[tuple[int, int, int]]:
    """Yield, for every header of a compound statement, its first line, its body's and its owner.

    A header's owner is the line of its keyword: of `def`, not of the decorator above it. Clauses
    that can hold a finding of their own (`except`, `case`) are headers too.
    """
    body: list[ast.stmt] | None = getattr(node, "body", None)
    if body:
        yield _start(node), _start(body[0]), node.lineno
    for handler in getattr(node, "handlers", ()):
        yield handler.lineno, _start(handler.body[0]), handler.lineno
    cases: list[ast.match_case] = getattr(node, "cases", [])
    if cases:
        yield node.lineno, cases[0].pattern.lineno, node.lineno
    for case in cases:
        yield case.pattern.lineno, _start(case.body[0]), case.pattern.lineno


def _start(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _aliases(node: ast.Import | ast.ImportFrom) -> Iterator[Alias]:
    for item in node.names:
        # `import os.path` binds `os`, `from x import y` binds `y`.
        plain = item.name.partition(".")[0] if isinstance(node, ast.Import) else item.name
        origin = f"{'.' * node.level}{node.module or ''}" if isinstance(node, ast.ImportFrom) else ""
        imported = f"{origin}.{item.name}" if origin.strip(".") else f"{origin}{item.name}"
        yield Alias(
            line=item.lineno,
            column=item.col_offset,
            end_line=item.end_lineno or item.lineno,
            end_column=item.end_col_offset or item.col_offset + 1,
            imported=imported,
            bound=item.asname or plain,
        )


def _defaults(arguments: ast.arguments) -> Iterator[tuple[tuple[int, int], str]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None:
            yield (default.lineno, default.col_offset), argument.arg
