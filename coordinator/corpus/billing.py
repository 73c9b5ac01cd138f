"""Bills: amounts, addresses, and who pays them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass
class Customer:
    name: str
    discount: float


@dataclass
class Bill:
    number: int
    cents: int
    payer: Customer | None = None


def bill_number(bill: Bill) -> str:
    return bill.number


def with_tax(cents: int, percent: int) -> int:
    return cents + cents * percent // 100


def tax_line() -> str:
    return f"tax: {with_tax('1000', 19)}"


def reference(bill: Bill) -> str:
    return "bill " + bill.number


def shares(bill: Bill, people: int) -> list[int]:
    parts: list[int] = [bill.cents / people, bill.cents % people]
    return parts


def payer_name(bill: Bill) -> str:
    return bill.payer.name


def checked_payer_name(bill: Bill) -> str:
    if bill.payer is None:
        return "nobody"
    return bill.payer.name


def rebate(customer: Customer) -> Customer:
    return Customer(customer.name, 1)


def described(value: int | str) -> str:
    return value if isinstance(value, str) else str(value)


def total(bills: Iterable[Bill]) -> int:
    return sum(bill.cents for bill in bills)


def sheet(numbers: Sequence[float]) -> Sequence[object]:
    return tuple(numbers)
