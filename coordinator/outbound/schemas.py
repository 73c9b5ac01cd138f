"""Whether an answer has the shape the plan declares."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from a2a.types import a2a_pb2 as a2a

from coordinator.wire import json_in

SCHEMAS = Path(__file__).parents[2] / "agent_cards" / "schemas"
FILES = {"findings": "findings-v1.json"}
"""Names a plan may give as `expect`, and the JSON Schema behind each."""


@cache
def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for(json.loads((SCHEMAS / FILES[name]).read_text(encoding="utf-8")))


def mismatch(name: str, artifacts: Iterable[a2a.Artifact]) -> str:
    """Return what is wrong with the data parts of *artifacts*, or an empty string. Costly: call it off the loop."""
    validator = _validator(name)
    found = 0
    for artifact in artifacts:
        for part in artifact.parts:
            if part.WhichOneof("content") == "data":
                found += 1
                error = next(iter(validator.iter_errors(json_in(part.data))), None)
                if error is not None:
                    where = "/".join(str(step) for step in error.instance_path)
                    return f"artifact {artifact.artifact_id}, {where or 'top level'}: {error.message}"[:500]
    return "" if found else f"there is no data part of the schema {name}"
