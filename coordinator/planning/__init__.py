"""From a plan file and a directory of agents to a resolved plan.

`files` reads and checks plan files, `resolve` chooses agents and assigns parts. Nothing here
speaks to the network.
"""

from coordinator.planning.files import FanOut, PlanFile, StageFile, load_plans, plan_schema
from coordinator.planning.resolve import AgentCandidate, Narrowed, resolve

__all__ = [
    "AgentCandidate",
    "FanOut",
    "Narrowed",
    "PlanFile",
    "StageFile",
    "load_plans",
    "plan_schema",
    "resolve",
]
