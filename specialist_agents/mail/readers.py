"""What a file holds, as plain text, as a table or page by page, never more than fits a message."""

import csv
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specialist_agents.mail.bounds import clean, clean_lines

if TYPE_CHECKING:
    import pypdf

MAX_TEXT_CHARACTERS = 20_000
MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARACTERS = 200, 50, 500
MAX_PAGES, MAX_PAGE_CHARACTERS = 50, 5_000
_SNIFFED_CHARACTERS = 4_000
_DELIMITERS = ",;\t|"

Value = str | list[str] | list[list[str]]


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's content under the name of its form, or why there is none."""

    field: str = ""
    value: Value = ""
    truncated: bool = False
    problem: str = ""


def plain_text(text: str) -> Contents:
    """Return a text."""
    return Contents("text", clean_lines(text, MAX_TEXT_CHARACTERS), len(text) > MAX_TEXT_CHARACTERS)


def table(text: str) -> Contents:
    """Return the rows of a table, whichever of the usual delimiters it has."""
    rows: list[list[str]] = []
    cut = False
    try:
        for row in csv.reader(io.StringIO(text, newline=""), _dialect(text)):
            if len(rows) == MAX_ROWS:
                cut = True
                break
            cut = cut or len(row) > MAX_COLUMNS or any(len(cell) > MAX_CELL_CHARACTERS for cell in row[:MAX_COLUMNS])
            if row:
                rows.append([clean(cell, MAX_CELL_CHARACTERS) for cell in row[:MAX_COLUMNS]])
    except csv.Error as error:
        return Contents(problem=f"it is no table: {error}")
    return Contents("rows", rows, cut)


def _dialect(text: str) -> type[csv.Dialect]:
    class Chosen(csv.excel):
        delimiter = _delimiter(text[:_SNIFFED_CHARACTERS])

    return Chosen


def _delimiter(sample: str) -> str:
    """Return the delimiter the first lines agree on best."""
    lines = [line for line in sample.splitlines()[:10] if line.strip()] or [""]
    return max(_DELIMITERS, key=lambda one: (min(line.count(one) for line in lines), lines[0].count(one)))


def pdf(content: bytes) -> Contents:
    """Return the text of a PDF's pages. No script, link or embedded file in it is followed."""
    # Only here: the other agent, and mails without a PDF, do without it.
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong with the file is told in the entry
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            return Contents(problem="it is encrypted")
        count = len(reader.pages)
        pages = list(_pages(reader))
    # What the library raises on files that break the format, as its own tests show.
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError) as error:
        return Contents(problem=f"it cannot be read as a PDF: {str(error) or type(error).__name__}")
    cut = count > MAX_PAGES or any(len(page) > MAX_PAGE_CHARACTERS for page in pages)
    return Contents("pages", [page[:MAX_PAGE_CHARACTERS] for page in pages], cut)


def _pages(reader: "pypdf.PdfReader") -> Iterator[str]:
    for number in range(min(len(reader.pages), MAX_PAGES)):
        yield clean_lines(reader.pages[number].extract_text(), MAX_PAGE_CHARACTERS + 1)
