"""Which version of the protocol a request speaks."""

from a2a.server.context import ServerCallContext


def is_old_version(context: ServerCallContext) -> bool:
    """Whether the request is of protocol 0.3, which is what one without the header is (spec 3.6.2)."""
    return not str(context.state.get("headers", {}).get("a2a-version", "")).startswith("1")
