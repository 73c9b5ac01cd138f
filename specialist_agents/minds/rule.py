"""Minds with a rule behind them: the same material gives the same answer, at no cost."""

import asyncio

from a2a.types.a2a_pb2 import Part

from specialist_agents.minds.configuration import AgentSettings
from specialist_agents.minds.material import Material
from specialist_agents.minds.planner import plan
from specialist_agents.minds.results import MindFailure, Result, Saying
from specialist_agents.minds.synthesizer import synthesis
from specialist_agents.minds.tasks import tasks_part


class RuleMind:
    """Plans or writes up by rule."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings

    async def __call__(self, material: Material, saying: Saying) -> Result:
        """Apply the rule, off the loop; raises MindFailure."""
        if not material.documents:
            raise MindFailure("there is a request, but no document")
        if self._settings.task == "plan":
            listed = await asyncio.to_thread(plan, material, self._settings.max_tasks)
            return Result((tasks_part(listed),), f"{len(listed['tasks'])} sub-tasks by rule")
        text = await asyncio.to_thread(synthesis, material)
        return Result((Part(text=text, media_type="text/markdown"),), "written up by rule")
