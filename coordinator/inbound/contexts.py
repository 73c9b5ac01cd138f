"""What a specialist calls our contexts and tasks: the map is what the journal holds of earlier delegations.

Each of our contexts is another one at every agent, and belongs to one caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from coordinator.core.branch import Branch
from coordinator.core.events import TaskAccepted
from coordinator.core.model import AgentRef
from coordinator.journal import Journal, Scope, TaskFilter
from coordinator.projection import Projection

MOST_LOOKED_AT = 20
"""How many tasks of a context are looked through, the latest first."""

MOST_REFERRED = 20
"""How many tasks a message refers to are handed on: each one is read from the journal."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """Translates ids of ours to those of the one agent of a plain delegation."""

    journal: Journal
    projection: Projection

    async def translated(self, accepted: TaskAccepted, scope: Scope) -> TaskAccepted:
        """Return *accepted* with the agent's ids for its context and for the tasks it refers to."""
        agent = accepted.plan.stages[0].sub_tasks[0].agent
        query = TaskFilter(context_id=accepted.context_id, with_hidden=True, page_size=MOST_LOOKED_AT)
        page = await self.journal.tasks(scope, query)
        context = ""
        for head in page.heads:
            context = context or await self._context(head.task_id, agent)
        named = accepted.message.reference_task_ids[:MOST_REFERRED]
        referred = [await self._task(task_id, scope, agent) for task_id in named]
        return replace(accepted, remote_context=context, remote_references=tuple(filter(None, referred)))

    async def _context(self, task_id: str, agent: AgentRef) -> str:
        branch = await self._branch(task_id, agent)
        if branch is None:
            return ""
        remotes = (attempt.remote for attempt in branch.attempts)
        return next((remote.context_id for remote in remotes if remote), branch.context_id)

    async def _task(self, task_id: str, scope: Scope, agent: AgentRef) -> str:
        head = await self.journal.head(task_id)
        if head is None or head.scope != scope:
            return ""  # nobody learns of tasks that are not their own
        branch = await self._branch(task_id, agent)
        remotes: Iterable[str] = (a.remote.task_id for a in branch.attempts if a.remote) if branch else ()
        return next(iter(remotes), "")

    async def _branch(self, task_id: str, agent: AgentRef) -> Branch | None:
        """Return the one branch of a plain delegation to *agent*."""
        coordination = await self.projection.coordination(task_id)
        if coordination is None or not coordination.accepted.plan.passes_through:
            return None
        return next((branch for branch in coordination.branches() if branch.agent.url == agent.url), None)
