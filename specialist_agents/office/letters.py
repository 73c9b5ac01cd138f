"""The program behind the agent `letters`: one letter for each row of a table, from a template with fields.

The template's first line is `Subject: …`; `$name` or `${name}` stands for the column of that name. A row that leaves a
field of the template empty, has no usable address, or one that is there already becomes a letter with a problem, which
nobody sends. Nothing is sent here.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from string import Template
from typing import Any

from specialist_agents.office.texts import File, Unusable

SCHEMA = "letters/v1"
MAX_LETTERS = 10_000
MAX_BODY_CHARACTERS = 50_000
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
"""Addresses that are sent to: the usual ones, without comments, quotes or other alphabets."""
_ADDRESS_COLUMNS = ("email", "e-mail", "mail", "address", "to")


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield one letter for each row of all tables, in their order; raises Unusable."""
    tables = [file for file in files if file.name.lower().endswith(".csv")]
    templates = [file for file in files if file not in tables]
    if len(templates) != 1 or not tables:
        raise Unusable("send one template (.txt or .md) and at least one table (.csv)")
    subject, body = _template(templates[0])
    seen: dict[str, str] = {}
    for number, row in enumerate((row for table in tables for row in _rows(table)), start=1):
        if number > MAX_LETTERS:
            raise Unusable(f"more than {MAX_LETTERS} rows; send them in several messages")
        yield _letter(number, row, subject, body, seen)


def _template(file: File) -> tuple[Template, Template]:
    first, _, rest = file.text.partition("\n")
    name, colon, subject = first.partition(":")
    if name.strip().lower() != "subject" or not colon or not subject.strip() or not rest.strip():
        raise Unusable(f"{file.name}: a template begins with a line 'Subject: …', and a text follows it")
    templates = Template(subject.strip()), Template(rest.strip() + "\n")
    if not all(template.is_valid() for template in templates):
        raise Unusable(f"{file.name}: a $ stands for a field, such as $name; write $$ for a dollar sign")
    return templates


def _rows(file: File) -> Iterator[dict[str, str]]:
    text = file.text
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        for row in reader:
            yield {str(key).strip().lower(): (value or "").strip() for key, value in row.items() if key is not None}
    except csv.Error as error:
        raise Unusable(f"{file.name} is no table: {error}") from error


def _letter(
    number: int, row: Mapping[str, str], subject: Template, body: Template, seen: dict[str, str]
) -> dict[str, Any]:
    id_ = row.get("id") or str(number)
    to = next((row[column] for column in _ADDRESS_COLUMNS if row.get(column)), "")
    fields = {*subject.get_identifiers(), *body.get_identifiers()}
    values = {name: row.get(name.lower(), "") for name in fields}
    letter = {
        "id": id_[:100],
        "to": to[:320],
        "subject": " ".join(subject.substitute(values).split())[:300],
        "body": body.substitute(values)[:MAX_BODY_CHARACTERS],
    }
    problem = _problem(to, values, seen)
    seen.setdefault(to.lower(), id_)
    return letter | ({"problem": problem[:300]} if problem else {})


def _problem(to: str, values: Mapping[str, str], seen: Mapping[str, str]) -> str:
    """Return why a letter is not to be sent; empty when nothing is wrong with it."""
    if not ADDRESS.fullmatch(to):
        return f"{to!r} is no address" if to else "there is no address (column email)"
    if empty := sorted(name for name, value in values.items() if not value):
        return f"nothing is known for: {', '.join(empty)}"
    if to.lower() in seen:
        return f"the address is that of letter {seen[to.lower()]} as well"
    return ""
