"""Baskets of a shop, and what is collected about them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

CURRENCIES = ("EUR", "CHF")


def put(article: str, basket: list[str] = []) -> list[str]:
    basket.append(article)
    return basket


def count(article: str, counts: dict[str, int] = {}) -> dict[str, int]:
    counts[article] = counts.get(article, 0) + 1
    return counts


def remember(
    customer: str,
    *,
    seen: set[str] = set(),
) -> bool:
    known = customer in seen
    seen.add(customer)
    return known


class Statistics:
    def group(self, article: str, city: str, groups: dict[str, list[str]] = defaultdict(list)) -> dict[str, list[str]]:
        groups[city].append(article)
        return groups


def labelled(article: str, labels: list[str] = ["new"]) -> list[str]:
    labels.append(article)
    return labels


def put_safely(article: str, basket: list[str] | None = None) -> list[str]:
    basket = [] if basket is None else basket
    basket.append(article)
    return basket


def price(cents: int, currencies: tuple[str, ...] = ("EUR",)) -> str:
    return " / ".join(f"{cents / 100:.2f} {currency}" for currency in currencies)


def allowed(article: str, banned: frozenset[str] = frozenset()) -> bool:
    return article not in banned


def shipping(country: str, rates: Mapping[str, int] = MappingProxyType({"DE": 390})) -> int:
    return rates.get(country, 1990)


def total(cents: Sequence[int], currencies: Sequence[str] = CURRENCIES) -> str:
    return f"{sum(cents)} {currencies[0]}"
