"""Who calls: bearer tokens to principals (spec 7.4). Without authentication everybody is one anonymous caller."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
)
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from typing_extensions import override

from coordinator.outbound import WEBHOOK

PUBLIC = frozenset({"/healthz", "/readyz"})
CARD = "/.well-known/agent-card.json"
"""End of the paths of cards: a client needs one to learn how to authenticate."""


class TokenBackend(AuthenticationBackend):
    """Finds the principal behind a bearer token; tokens are compared by their hashes only."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """Take *tokens*: name of the principal to its token."""
        self._names = {_hash(token): name for name, token in tokens.items()}

    @override
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return the caller; None for what is public. Raises `AuthenticationError`."""
        path = conn.scope["path"]  # as the routes see it: `conn.url` is put together with the client's Host header
        # A specialist that pushes shows a token of its own, which the webhook checks.
        if path in PUBLIC or path.endswith(CARD) or path.startswith(f"{WEBHOOK}/"):
            return None
        return AuthCredentials(["authenticated"]), SimpleUser(self.principal(conn.headers.get("authorization", "")))

    def principal(self, authorization: str) -> str:
        """Return the name behind the value of an Authorization header. Raises `AuthenticationError`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationError("this server wants a bearer token")
        name = self._names.get(_hash(token.strip()))
        if name is None:
            raise AuthenticationError("this bearer token is not known")
        return name


def refuse(_: HTTPConnection, error: AuthenticationError) -> Response:
    """Return the 401 for a caller who could not be identified."""
    body = {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": str(error)}}
    return JSONResponse(body, status_code=401, headers={"WWW-Authenticate": "Bearer"})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
