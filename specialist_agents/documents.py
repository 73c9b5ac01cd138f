"""From the child's documents to parts of an artifact, each checked against the published schema.

What does not match is never sent: a reader may trust the schema.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import jsonschema_rs
from a2a.types.a2a_pb2 import Part
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from typing_extensions import override

from specialist_agents.workshop import ReviewFailure


class Documents:
    """Reads documents with a list, such as one of findings, and turns them into data parts."""

    def __init__(self, schema: Path, entries: str) -> None:
        self._entries = entries
        self._validator = jsonschema_rs.validator_for(json.loads(schema.read_text("utf-8")))

    def part(self, path: Path) -> tuple[Part, int]:
        """Return one document as a data part, with the number of its entries."""
        document = self._checked(path)
        part = Part(data=ParseDict(document, Value()), media_type="application/json")
        return part, len(document[self._entries])

    def _checked(self, path: Path) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(path.read_bytes())
        try:
            self._validator.validate(document)
        except jsonschema_rs.ValidationError as error:
            place = "/".join(str(step) for step in error.instance_path)
            raise ReviewFailure(
                f"the {self._entries} do not match their schema at {place!r}: {error.message}"
            ) from error
        return document


class Files(Documents):
    """Turns documents that hold one file each into file parts."""

    @override
    def part(self, path: Path) -> tuple[Part, int]:
        """Return the file of a document as a file part; a document without one stays a document."""
        entries = self._checked(path)[self._entries]
        if not entries:
            return super().part(path)
        content = b64decode(entries[0]["content"])
        return Part(raw=content, filename=entries[0]["filename"], media_type=entries[0]["mediaType"]), 1
