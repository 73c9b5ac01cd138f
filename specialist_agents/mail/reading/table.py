"""The program behind the agent `read-table`: comma-separated values and their kin."""

from collections.abc import Iterator

from specialist_agents.mail.feed import ENTRIES_PER_DOCUMENT, SCHEMA, Item, read
from specialist_agents.mail.readers import table

__all__ = ["ENTRIES_PER_DOCUMENT", "SCHEMA", "items_of"]


def items_of(name: str, content: bytes, media_type: str) -> Iterator[Item]:
    """Yield the one entry of a file."""
    yield read(name, content, media_type, "table", lambda body: table(body.decode("utf-8", "replace")))
