"""Callers with tokens."""

from collections.abc import Mapping
from typing import Any

import pytest


def settings_for(monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, Any]:
    """Return the settings of a coordinator that knows the tokens of *names*, and set the variables it reads."""
    entries = []
    for name in names:
        monkeypatch.setenv(f"TOKEN_OF_{name.upper()}", f"secret of {name}")
        entries.append({"name": name, "token_env": f"TOKEN_OF_{name.upper()}"})
    return {"auth": "tokens", "tokens": tuple(entries)}


def bearer(name: str) -> Mapping[str, str]:
    """Return the header that makes *name* the caller."""
    return {"Authorization": f"Bearer secret of {name}"}
