"""Numbers, amounts and dates in texts, in one form each, however they are written."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

_NAMES = """
    january januar jan, february februar feb, march märz mar, april apr, may mai, june juni jun, july juli jul,
    august aug, september sept sep, october oktober oct okt, november nov, december dezember dec dez
"""
_MONTHS = {name: number for number, names in enumerate(_NAMES.split(","), start=1) for name in names.split()}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(r"\b(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?P<n>{_MONTH})\.?,?\s+(?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<n>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})\b", re.IGNORECASE),
)
_SMALL = "two three four five six seven eight nine ten eleven twelve"
"""Without `one`, which is seldom meant as a number."""
_WRITTEN = {word: str(number) for number, word in enumerate(_SMALL.split(), start=2)}
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_DIGITS = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)*"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<n>{_DIGITS}|{'|'.join(_WRITTEN)})(?P<p>\s?%|\s(?:percent|per cent))?"
    r"(?:\s(?P<s>thousand|million|billion))?(?=\W|$)(?:\s(?P<u>[^\W\d_]+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A number or a date as it is written, and in the form that is compared."""

    written: str
    value: str
    span: tuple[int, int]
    unit: str = ""  #: the word behind a number


def dates_in(text: str) -> Iterator[Found]:
    """Yield the dates with a year, as YYYY-MM-DD."""
    for pattern in _DATES:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            month = _MONTHS[groups["n"].lower()] if groups.get("n") else int(groups["m"])
            yield Found(match[0], f"{groups['y']}-{month:02}-{int(groups['d']):02}", match.span())


def numbers_in(text: str, dates: Sequence[Found] = ()) -> Iterator[Found]:
    """Yield the numbers outside of *dates*: thousands put together, percent and millions taken into account."""
    for match in _NUMBER.finditer(text):
        if any(start <= match.start() < end for start, end in (date.span for date in dates)):
            continue
        digits = _WRITTEN.get(match["n"].lower()) or str(amount_of(match["n"]))
        scale = _SCALES[match["s"].lower()] if match["s"] else 1
        value = plain(Decimal(digits) * scale) + ("%" if match["p"] else "")
        yield Found(match[0].strip(), value, match.span(), (match["u"] or "").lower())


def amount_of(written: str) -> Decimal:
    """Return the value of digits with separators: the last `.` or `,` is the decimal one if 1 or 2 digits follow."""
    digits = re.sub(r"[ '\u00a0\u202f]", "", written).strip(".,")
    cut = max(digits.rfind("."), digits.rfind(","))
    whole, rest = (digits[:cut], digits[cut + 1 :]) if cut >= 0 and len(digits) - cut - 1 in {1, 2} else (digits, "")
    return Decimal(re.sub(r"[.,]", "", whole) or "0") + (Decimal(rest) / 10 ** len(rest) if rest else 0)


def plain(value: Decimal) -> str:
    """Return a number without trailing zeros or an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
