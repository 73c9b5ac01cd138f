"""An agent whose key is missing: it serves its card all the same, and the card says so.

Whoever reads the card knows before sending: every skill has the tag `not-ready`, and the description
begins with a line that says what has to be done.
"""

from pathlib import Path

from a2a.types.a2a_pb2 import AgentCard

from specialist_agents.minds.configuration import AgentSettings, EndpointSettings

NOT_READY = "not-ready"


def missing(settings: AgentSettings, endpoint: EndpointSettings | None, file: Path) -> str:
    """Return what has to be done before this agent can work, or an empty text."""
    if settings.by == "rule" or endpoint is None or endpoint.is_ready:
        return ""
    return (
        f"Not ready: set the environment variable {endpoint.key_env} (endpoint.key_env in {file.name}) "
        f"to a key for {endpoint.base_url or endpoint.api}, and start this agent again"
    )


def unready(card: AgentCard, lacking: str) -> AgentCard:
    """Return the card of an agent that lacks something."""
    told = AgentCard()
    told.CopyFrom(card)
    told.description = f"{lacking}\n\n{card.description}"
    for skill in told.skills:
        skill.tags.append(NOT_READY)
    return told
