"""Which analyser stands behind which agent, and which distribution brings it.

Names, skills and URLs are the Agent Cards' business; this is only what a card cannot say.
"""

from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Reviewer:
    """An agent's analyser: the module that runs it and the distribution it comes from."""

    module: str
    distribution: str

    def version(self) -> str:
        """Return the installed version; raises PackageNotFoundError when there is none."""
        return metadata.version(self.distribution)


REVIEWERS: dict[str, Reviewer] = {
    "lint": Reviewer(module="specialist_agents.analysis.tools.ruff", distribution="ruff"),
    "security": Reviewer(module="specialist_agents.analysis.tools.bandit", distribution="bandit"),
    "complexity": Reviewer(module="specialist_agents.analysis.tools.radon", distribution="radon"),
    "deadcode": Reviewer(module="specialist_agents.analysis.tools.vulture", distribution="vulture"),
    "types": Reviewer(module="specialist_agents.analysis.tools.mypy", distribution="mypy"),
}
