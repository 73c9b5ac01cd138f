"""The program behind the agent `invoices`: what an invoice says, how sure that is, and whether its sums fit.

Texts and PDFs with text, English and German, by labels such as `Invoice no.` or `Gesamtbetrag`. A scan has no text and
is told as such. A field that is not found is left out; nothing is guessed from other invoices.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from specialist_agents.mail.readers import pdf
from specialist_agents.office.invoice_fields import Field, currency_of, date_of, number_of, supplier_of
from specialist_agents.office.invoice_sums import Sums, lines_of, problems_of, sums_of
from specialist_agents.office.texts import File, excerpt

SCHEMA = "invoices/v1"
_LINES, _LINE_CHARACTERS = 5_000, 300


def items_of(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield an entry for each invoice, also for one that cannot be read."""
    for file in files:
        entry = {"file": file.name, "digest": sha256(file.content).hexdigest()[:32]}
        text, problem = _text_of(file)
        if problem:
            yield entry | {"sums": "unread", "problems": [excerpt(problem, 200)], "lines": []}
        else:
            yield entry | _read(text)


def _text_of(file: File) -> tuple[str, str]:
    """Return the text of a file, or why there is none."""
    if not file.content.startswith(b"%PDF-"):
        return file.text, "" if file.text.strip() else "it is empty"
    contents = pdf(file.content)
    text = "\n".join(str(page) for page in contents.value)
    return text, contents.problem or ("" if text.strip() else "the PDF holds no text; it may be a scan")


def _read(text: str) -> dict[str, Any]:
    lines = [line.strip()[:_LINE_CHARACTERS] for line in text.splitlines()[:_LINES] if line.strip()]
    sums = sums_of(lines)
    items = lines_of(lines)
    fields: dict[str, Field | None] = {
        "number": number_of(lines),
        "date": date_of(lines),
        "supplier": supplier_of(lines),
        "currency": currency_of(text),
    } | _amounts(sums)
    found = {name: field.as_json() for name, field in fields.items() if field is not None}
    problems = problems_of(sums, items)
    judged = "wrong" if problems else ("right" if sums.can_be_checked(items) else "unchecked")
    missing = [f"no {name} found" for name in ("number", "date", "total") if name not in found]
    return found | {"lines": [item.as_json() for item in items], "sums": judged, "problems": [*problems, *missing]}


def _amounts(sums: Sums) -> dict[str, Field | None]:
    stated = {"net": sums.net, "vat": sums.vat, "vatRate": sums.rate, "total": sums.total}
    return {
        name: None if amount is None else Field(float(amount.value), amount.confidence)
        for name, amount in stated.items()
    }
