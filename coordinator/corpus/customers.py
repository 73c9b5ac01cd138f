"""Customers in a database: look-ups, changes, a search."""

import sqlite3

VISIBLE = "active = 1 AND deleted = 0"


def by_name(db: sqlite3.Connection, name: str) -> list[tuple[object, ...]]:
    return db.execute(f"SELECT id, name FROM customers WHERE name = '{name}'").fetchall()


def rename(db: sqlite3.Connection, number: str, name: str) -> None:
    db.execute("UPDATE customers SET name = '%s' WHERE id = %s" % (name, number))


def forget(db: sqlite3.Connection, number: str) -> None:
    db.execute("DELETE FROM customers WHERE id = " + number)


def add(db: sqlite3.Connection, name: str, city: str) -> None:
    statement = "INSERT INTO customers (name, city) VALUES ('{}', '{}')".format(name, city)
    db.execute(statement)


def search(db: sqlite3.Connection, city: str | None) -> list[tuple[object, ...]]:
    query = "SELECT id, name FROM customers WHERE deleted = 0"
    if city:
        query += " AND city = '" + city + "'"
    return db.execute(query).fetchall()


def by_number(db: sqlite3.Connection, number: int) -> list[tuple[object, ...]]:
    return db.execute("SELECT id, name FROM customers WHERE id = ?", (number,)).fetchall()


def move(db: sqlite3.Connection, number: int, city: str) -> None:
    db.execute(
        "UPDATE customers SET city = :city "
        "WHERE id = :number",
        {"city": city, "number": number},
    )


def visible(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute(f"SELECT id, name FROM customers WHERE {VISIBLE}").fetchall()


def greeting(name: str, offers: int) -> str:
    return f"Dear {name}, please select from {offers} offers where you like"


def audit(db: sqlite3.Connection, name: str) -> None:
    note = f"customer {name} was deleted"
    db.execute("INSERT INTO audit (note) VALUES (?)", (note,))
