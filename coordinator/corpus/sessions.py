"""Sessions, caches and settings: what is written to disk or comes over the network is read again here."""

import ast
import json
import marshal
import pickle
import shelve
import struct
from pathlib import Path
from pickle import loads as revived


def session_of(cookie: bytes) -> object:
    return pickle.loads(cookie)


def cached(path: Path) -> object:
    with path.open("rb") as file:
        return pickle.load(file)


def compiled(path: Path) -> object:
    return marshal.loads(path.read_bytes())


def counters(upload: str) -> dict[str, int]:
    with shelve.open(upload) as stored:
        return dict(stored)


def task_of(message: bytes) -> object:
    return revived(
        message,
        encoding="utf-8",
    )


def settings_of(text: str) -> object:
    return json.loads(text)


def literal_of(text: str) -> object:
    return ast.literal_eval(text)


def header_of(packet: bytes) -> tuple[int, ...]:
    return struct.unpack(">HH", packet[:4])


def stored(session: object) -> bytes:
    return pickle.dumps(session)


class Orders:
    """A reader of our own line format, whose method happens to be called loads."""

    def loads(self, text: str) -> list[str]:
        return text.splitlines()


def orders_of(text: str) -> list[str]:
    return Orders().loads(text)
