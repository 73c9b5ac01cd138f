"""What of an artifact a client gets, by the output modes it accepts (spec 3.2.2, 4.2.2).

An artifact is kept once, as its strategy made it; other forms are made of it when somebody reads it. Nothing here
knows of tasks or of the journal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from a2a.types import a2a_pb2 as a2a

from coordinator.core.merging.findings import MERGED_SCHEMA
from coordinator.core.sarif import MEDIA_TYPE as SARIF
from coordinator.core.sarif import sarif_log
from coordinator.wire import json_in

SARIF_FILE = "report.sarif"


def takes(modes: Collection[str], media_type: str) -> bool:
    """Whether a client that accepts *modes* takes *media_type*; one that names none takes all (spec 4.2.2)."""
    family = media_type.partition("/")[0] + "/*"
    return not modes or any(mode in {media_type, family, "*/*", "*"} for mode in modes)


async def shown(parts: Sequence[a2a.Part], modes: Collection[str], missing: str) -> list[a2a.Part]:
    """Return *parts* as a client that accepts *modes* gets them; *missing* says why a report is not whole.

    SARIF is for those who name it: who takes everything has not asked for one more file.
    """
    log = await asyncio.to_thread(sarif_part, parts, missing) if SARIF in modes else None
    kept = list(parts)
    if not takes(modes, "application/json"):
        kept = [part for part in parts if part.WhichOneof("content") != "data"]
        # An artifact has at least one part: data that nothing else stands for is shown as it is written.
        kept = kept or [_as_text(part) for part in parts]
    if log is None:
        return kept
    return [*(part for part in kept if part.WhichOneof("content") != "text" or _takes_text(modes)), log]


def sarif_part(parts: Sequence[a2a.Part], missing: str) -> a2a.Part | None:
    """Return the merged findings among *parts* as one SARIF file, None where there are none; costly for large ones."""
    told = [json_in(part.data) for part in parts if part.WhichOneof("content") == "data"]
    documents = [document for document in told if isinstance(document, Mapping) and _is_report(document)]
    if not documents:
        return None
    items = [item for document in documents for item in document.get("items", [])]
    summary: Mapping[str, Any] = next((document["summary"] for document in documents if "summary" in document), {})
    log = sarif_log(items, summary, missing=missing)
    body = json.dumps(log, ensure_ascii=False, sort_keys=True).encode()
    return a2a.Part(raw=body, media_type=SARIF, filename=SARIF_FILE)


def _is_report(document: Mapping[str, Any]) -> bool:
    return document.get("schema") == MERGED_SCHEMA


def _takes_text(modes: Collection[str]) -> bool:
    return takes(modes, "text/markdown") or takes(modes, "text/plain")


def _as_text(part: a2a.Part) -> a2a.Part:
    text = json.dumps(json_in(part.data), ensure_ascii=False)
    return a2a.Part(text=text, media_type="text/plain", filename=part.filename, metadata=part.metadata)
