"""One entry for every attachment, in one form, whoever has read it.

What a file holds is said under one of three names: `text`, `rows` or `pages`. A file that cannot be read is an entry
too, and says why.
"""

from collections.abc import Callable
from typing import Any

from specialist_agents.mail.bounds import Overtime, clean, within
from specialist_agents.mail.places import place_of
from specialist_agents.mail.readers import Contents

SCHEMA = "attachments/v1"
ENTRIES_PER_DOCUMENT = 200
ATTACHMENT_CPU_S = 5.0

Item = dict[str, Any]
Reader = Callable[[bytes], Contents]


def entry(name: str, content: bytes, media_type: str, said: Item) -> Item:
    """Return the entry of an attachment, with what is said of it."""
    place = place_of(name, content)
    from_where = {"mail": place.mail, "digest": place.digest, "number": place.number, "filename": place.filename}
    return {**from_where, "mediaType": media_type, "bytes": len(content), **said}


def read(name: str, content: bytes, media_type: str, kind: str, reader: Reader) -> Item:
    """Read one attachment; nothing it does can cost more than itself."""
    try:
        with within(ATTACHMENT_CPU_S):
            contents = reader(content)
    except Overtime:
        contents = Contents(problem="it takes too long to read")
    except (MemoryError, RecursionError):
        contents = Contents(problem="it needs more memory or depth than it may")
    said: Item = {"kind": kind, contents.field: contents.value, "truncated": contents.truncated}
    if contents.problem:
        said = {"kind": "unread", "problem": clean(contents.problem, 200)}
    return entry(name, content, media_type, said)
