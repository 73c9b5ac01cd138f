"""The program behind the agent `read-other`: an entry for each file nobody else reads, and why it is not read."""

from collections.abc import Iterator

from specialist_agents.mail.bounds import clean
from specialist_agents.mail.feed import ENTRIES_PER_DOCUMENT, SCHEMA, Item, entry
from specialist_agents.mail.unpacking import PROBLEM

__all__ = ["ENTRIES_PER_DOCUMENT", "SCHEMA", "items_of"]


def items_of(name: str, content: bytes, media_type: str) -> Iterator[Item]:
    """Yield the one entry of a file."""
    if media_type == PROBLEM:  # it never was a file, but the reason why there is none
        told = clean(content.decode("utf-8", "replace"), 200) or "it cannot be read"
        yield entry(name, content, "", {"kind": "unread", "bytes": 0, "problem": told})
    else:
        told = "nobody here reads files of this type"
        yield entry(name, content, clean(media_type, 100), {"kind": "unread", "problem": told})
