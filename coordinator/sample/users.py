"""Customers of the shop, in SQLite."""

import hashlib
import sqlite3
from typing import Any

DATABASE = "shop.db"


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    return connection


def find_user(name: str) -> dict[str, Any]:
    connection = connect()
    row = connection.execute(
        f"SELECT * FROM users WHERE name = '{name}'"
    ).fetchone()
    return dict(row)


def fingerprint(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


def check_password(name: str, password: str) -> bool:
    user = find_user(name)
    return user["password"] == fingerprint(password)


def add_user(name: str, password: str) -> None:
    connection = connect()
    with connection:
        connection.execute(
            "INSERT INTO users (name, password) VALUES (?, ?)",
            (name, fingerprint(password)),
        )
