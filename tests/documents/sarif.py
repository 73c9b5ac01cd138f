"""What the schema of SARIF 2.1.0 has to say about a document; formats such as URIs are checked, too."""

import json
from pathlib import Path

import jsonschema_rs

SCHEMA = Path(__file__).parents[1] / "data" / "sarif-2.1.0.json"
VALIDATOR = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")), validate_formats=True)


def complaints(log):
    """Return what is wrong with *log*, nothing when it is valid."""
    found = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in VALIDATOR.iter_errors(log)]
    # The schema asks for no version; the standard does (section 3.13.2).
    return found if log.get("version") == "2.1.0" else [*found, "version is not 2.1.0"]
