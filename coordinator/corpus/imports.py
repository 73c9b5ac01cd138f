"""A module that takes in more than it needs."""

from __future__ import annotations

import fractions
import xml.dom.minidom as dom
from collections import (
    OrderedDict,
    deque,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING

import statistics as statistics
from textwrap import dedent
from zlib import crc32

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Queue", "checksum", "dedent"]


@dataclass
class Queue:
    waiting: deque[str]
    price: Decimal | None = None

    def first(self) -> str:
        import colorsys

        return self.waiting[0]


def checksum(text: str) -> int:
    from binascii import hexlify, unhexlify

    return crc32(unhexlify(text))
