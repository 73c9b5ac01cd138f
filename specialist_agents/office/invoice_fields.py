"""Number, date, supplier and currency of an invoice, by what usually stands beside them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from specialist_agents.office.numbers import dates_in
from specialist_agents.office.texts import excerpt

_NUMBER = re.compile(
    r"(?:invoice|rechnung|rechnungs|receipt|bill)[\s-]*(?:no\b|number|num\b|nr\b|nummer|#|id\b)[.:#\s]*([A-Z0-9][A-Z0-9/._-]*\d[A-Z0-9/_-]*)",
    re.IGNORECASE,
)
_LOOSE_NUMBER = re.compile(r"^(?:invoice|rechnung)\s+#?([A-Z0-9/_-]*\d[A-Z0-9/_-]*)\b", re.IGNORECASE)
_DATE_LABEL = re.compile(r"invoice date|rechnungsdatum|date of issue|issued|\bdate\b|\bdatum\b", re.IGNORECASE)
_OTHER_DATE = re.compile(r"due|payable|fällig|zahlbar|deliver|liefer|period|zeitraum", re.IGNORECASE)
_FROM = re.compile(r"^(?:from|supplier|seller|vendor|von|lieferant|absender)\s*:\s*(.+)$", re.IGNORECASE)
_COMPANY = re.compile(
    r"\b(?:ltd|limited|inc|llc|gmbh|ag|kg|ohg|ug|s\.?a\.?|s\.?r\.?l\.?|b\.?v\.?|plc|co)\b\.?", re.IGNORECASE
)
_NOT_A_NAME = re.compile(r"invoice|rechnung|receipt|bill to|date|datum|page|seite|\d{3,}", re.IGNORECASE)
_CODE = re.compile(r"\b(EUR|USD|GBP|CHF|JPY|SEK|NOK|DKK|PLN|CZK|CAD|AUD)\b")
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}


@dataclass(frozen=True, slots=True)
class Field:
    """A value and how sure it is, from 0 to 100."""

    value: str | float
    confidence: int

    def as_json(self) -> dict[str, str | float | int]:
        """Return the shape that is sent."""
        return {"value": self.value, "confidence": self.confidence}


def number_of(lines: Sequence[str]) -> Field | None:
    """Return the number of the invoice."""
    for pattern, sure in ((_NUMBER, 95), (_LOOSE_NUMBER, 80)):
        for line in lines:
            if match := pattern.search(line):
                return Field(match[1].rstrip(".-_/")[:60], sure)
    return None


def date_of(lines: Sequence[str]) -> Field | None:
    """Return the date of the invoice, not that of the payment or the delivery, as YYYY-MM-DD."""
    dated = [(line, date.value) for line in lines for date in dates_in(line)]
    labelled = [value for line, value in dated if _DATE_LABEL.search(line) and not _OTHER_DATE.search(line)]
    if labelled:
        return Field(labelled[0], 95)
    bare = [value for line, value in dated if not _OTHER_DATE.search(line)]
    return Field(bare[0], 60) if bare else None


def supplier_of(lines: Sequence[str]) -> Field | None:
    """Return who has written the invoice: as labelled, else a company's or any name near the top."""
    for line in lines:
        if match := _FROM.match(line):
            return Field(excerpt(match[1], 100), 95)
    top = [line for line in lines[:6] if not _NOT_A_NAME.search(line)]
    company = next((line for line in top if _COMPANY.search(line)), None)
    if company:
        return Field(excerpt(company, 100), 80)
    return Field(excerpt(top[0], 100), 50) if top else None


def currency_of(text: str) -> Field | None:
    """Return the currency that is named most."""
    named = Counter(_CODE.findall(text)) + Counter({code: text.count(sign) for sign, code in _SIGNS.items()})
    if not named:
        return None
    ((code, _), *others) = named.most_common(2)
    return Field(code, 70 if others else 95)
