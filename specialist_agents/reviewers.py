"""Which analyser stands behind which agent, and which distribution brings it.

Names, skills and URLs are the Agent Cards' business; this is only what a card cannot say.
"""

from dataclasses import dataclass
from enum import Enum
from importlib import metadata

OWN_VERSION = "1"


class Way(Enum):
    """What a review needs besides the files."""

    NOTHING = "nothing"  #: it answers at once
    DECISION = "decision"  #: an answer of its client, where the files leave something open
    QUESTION = "question"  #: its client's question in words
    APPROVAL = "approval"  #: somebody's approval at a page of the agent
    SENDING = "sending"  #: no files: letters, which go out


@dataclass(frozen=True, slots=True)
class Reviewer:
    """An agent's analyser: the module that runs it and the distribution it comes from, empty for one of ours."""

    module: str
    distribution: str = ""
    way: Way = Way.NOTHING
    of_repository: bool = False  #: it reads more than code: whatever a repository holds

    def version(self) -> str:
        """Return the installed version; raises PackageNotFoundError when there is none."""
        return metadata.version(self.distribution) if self.distribution else OWN_VERSION


REVIEWERS: dict[str, Reviewer] = {
    "lint": Reviewer(module="specialist_agents.analysis.tools.ruff", distribution="ruff"),
    "security": Reviewer(module="specialist_agents.analysis.tools.bandit", distribution="bandit"),
    "complexity": Reviewer(module="specialist_agents.analysis.tools.radon", distribution="radon"),
    "deadcode": Reviewer(module="specialist_agents.analysis.tools.vulture", distribution="vulture"),
    "types": Reviewer(module="specialist_agents.analysis.tools.mypy", distribution="mypy"),
    "style": Reviewer(module="specialist_agents.analysis.tools.style", way=Way.DECISION),
    "licences": Reviewer(
        module="specialist_agents.analysis.tools.licences", distribution="packaging", way=Way.APPROVAL
    ),
    "history": Reviewer(module="specialist_agents.analysis.tools.history", of_repository=True),
    "documentation": Reviewer(module="specialist_agents.analysis.tools.documentation", of_repository=True),
    "coverage": Reviewer(module="specialist_agents.analysis.tools.coverage", of_repository=True),
    "dependencies": Reviewer(
        module="specialist_agents.analysis.tools.dependencies", distribution="packaging", of_repository=True
    ),
}
