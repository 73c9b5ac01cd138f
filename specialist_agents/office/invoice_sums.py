"""The amounts of an invoice: its lines, net, VAT and total, and whether they fit each other to the cent."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from specialist_agents.office.numbers import amount_of
from specialist_agents.office.texts import excerpt

CENT = Decimal("0.02")
"""How far sums may be apart: each side was rounded."""
MAX_LINES = 200
_MONEY = r"-?\d{1,3}(?:[., '\u00a0]\d{3})*[.,]\d{2}"
_AMOUNT = re.compile(rf"(?<![\w.,])({_MONEY})(?![\d.,]*\d|\s?%)")
_RATE = re.compile(r"(\d{1,2}(?:[.,]\d{1,2})?)\s?%")
_UNIT = r"(?:\s*(?:EUR|USD|GBP|CHF|€|\$|£))?"
_LINE = re.compile(
    rf"^(?P<what>.*?[^\W\d_].*?)\s+(?P<count>\d{{1,5}}(?:[.,]\d{{1,2}})?)\s*(?:x|h|pcs|stk\.?|hours?|std\.?)?\s+"
    rf"[€$£]?(?P<unit>{_MONEY}){_UNIT}\s+[€$£]?(?P<sum>{_MONEY}){_UNIT}$",
    re.IGNORECASE,
)
_TOTAL = (
    "grand total|total due|amount due|amount payable|total amount|total incl"
    "|gesamtbetrag|rechnungsbetrag|zu zahlen|brutto"
)
_LABELS = tuple(
    (name, re.compile(pattern, re.IGNORECASE), sure)
    for name, pattern, sure in (
        ("total", _TOTAL, 95),
        ("net", r"sub-?total|net\b|netto|zwischensumme|total excl", 90),
        ("vat", r"\bvat\b|\bmwst|\bust\b|umsatzsteuer|mehrwertsteuer|sales tax|\btax\b", 90),
        ("total", r"^(?:total|summe|gesamt)\b", 75),
    )
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount, and how sure its meaning is, from 0 to 100."""

    value: Decimal
    confidence: int


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the invoice."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal

    def as_json(self) -> dict[str, str | float]:
        """Return the shape that is sent."""
        numbers = {"quantity": self.quantity, "unitPrice": self.unit_price, "amount": self.amount}
        return {"description": self.description} | {name: float(value) for name, value in numbers.items()}


@dataclass(frozen=True, slots=True)
class Sums:
    """What the invoice states below its lines."""

    net: Amount | None = None
    vat: Amount | None = None
    rate: Amount | None = None  #: in percent
    total: Amount | None = None

    def can_be_checked(self, items: Sequence[Item]) -> bool:
        """Whether there are two amounts that have to fit each other."""
        return self.total is not None and (bool(items) or self.net is not None)


def lines_of(lines: Sequence[str]) -> list[Item]:
    """Return the lines with a quantity, a price and an amount."""
    found = (_LINE.match(line) for line in lines)
    matches = [match for match in found if match and _label_of(match["what"]) is None]
    return [
        Item(excerpt(match["what"], 120), *(amount_of(match[name]) for name in ("count", "unit", "sum")))
        for match in matches[:MAX_LINES]
    ]


def sums_of(lines: Sequence[str]) -> Sums:
    """Return the amounts beside their labels; of several labelled alike the last one, the surest label first."""
    found: dict[str, Amount] = {}
    for line in lines:
        label = None if _LINE.match(line) else _label_of(line)
        amounts = _AMOUNT.findall(line)
        if label is None or not amounts:
            continue
        name, sure = label
        if name not in found or sure >= found[name].confidence:
            found[name] = Amount(amount_of(amounts[-1]), sure)
        if name == "vat" and (rate := _RATE.search(line)):
            found["rate"] = Amount(amount_of(rate[1]), 90)
    return Sums(found.get("net"), found.get("vat"), found.get("rate"), found.get("total"))


def _label_of(line: str) -> tuple[str, int] | None:
    return next(((name, sure) for name, pattern, sure in _LABELS if pattern.search(line)), None)


def problems_of(sums: Sums, items: Sequence[Item]) -> list[str]:
    """Return what does not add up, in words."""
    return [*_of_items(items), *_of_sums(sums, sum((item.amount for item in items), Decimal(0)) if items else None)]


def _of_items(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        made = item.quantity * item.unit_price
        if abs(made - item.amount) > CENT:
            yield f"{item.description}: {item.quantity} x {item.unit_price:.2f} is {made:.2f}, not {item.amount:.2f}"


def _of_sums(sums: Sums, of_items: Decimal | None) -> Iterator[str]:
    net, vat, total = (None if one is None else one.value for one in (sums.net, sums.vat, sums.total))
    if of_items is not None:
        expected = net if net is not None else total
        with_vat = None if vat is None else of_items + vat
        if expected is not None and not _fit(expected, of_items) and not (net is None and _fit(with_vat, total)):
            yield f"the lines add up to {of_items:.2f}, not {expected:.2f}"
    if net is not None and total is not None and not _fit(net + (vat or 0), total):
        yield f"{net:.2f} and {vat or 0:.2f} VAT are {net + (vat or 0):.2f}, not {total:.2f}"
    if net is not None and vat is not None and sums.rate is not None:
        due = net * sums.rate.value / 100
        if not _fit(due, vat):
            yield f"{sums.rate.value} % of {net:.2f} are {due:.2f}, not {vat:.2f}"


def _fit(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= CENT
