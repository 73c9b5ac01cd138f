"""From a plan file and a directory of agents to a resolved plan.

`files` reads and checks plan files, `resolve` chooses agents, `expand` makes sub-tasks.
Nothing here speaks to the network.
"""

from coordinator.planning.expand import Draft, expand
from coordinator.planning.files import FanOut, PlanFile, StageFile, load_plans, plan_schema
from coordinator.planning.planned import PlannedTask
from coordinator.planning.ready import AgentCandidate
from coordinator.planning.resolve import Asked, Resolved, agents_of, resolve

__all__ = [
    "AgentCandidate",
    "Asked",
    "Draft",
    "FanOut",
    "PlanFile",
    "PlannedTask",
    "Resolved",
    "StageFile",
    "agents_of",
    "expand",
    "load_plans",
    "plan_schema",
    "resolve",
]
