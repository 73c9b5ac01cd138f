"""Minds with a language model behind them: what it is told for each kind of task, and what becomes of its answer."""

from collections.abc import Sequence

from a2a.types.a2a_pb2 import AgentCard, Part

from specialist_agents.minds import ballots
from specialist_agents.minds.configuration import AgentSettings
from specialist_agents.minds.endpoint import Endpoint
from specialist_agents.minds.material import Material
from specialist_agents.minds.prompt import prompt
from specialist_agents.minds.results import MindFailure, Result, Saying
from specialist_agents.minds.tasks import form, tasks_in, tasks_part

WRITING = "The documents are answers of several agents about the same task. Write one answer from them, in Markdown."


class ModelMind:
    """One agent's way to use the model; says pieces of texts, and lists of sub-tasks only when they are complete."""

    def __init__(self, card: AgentCard, settings: AgentSettings, endpoint: Endpoint) -> None:
        self._card = card
        self._settings = settings
        self._endpoint = endpoint

    async def __call__(self, material: Material, saying: Saying) -> Result:
        """Ask the model; raises MindFailure."""
        names = ballots.candidates(material) if self._settings.task == "vote" else []
        asked = prompt(self._card, self._instructions(names), material)
        is_document = self._settings.task in {"plan", "vote"}
        reply = await self._endpoint.ask(asked, _Quietly(saying) if is_document else saying)
        if not reply.text.strip():
            raise MindFailure("the model answered with nothing")
        cut = f"; it is cut off at {self._endpoint.settings.max_output_tokens} tokens" if reply.was_cut else ""
        told = f"{self._endpoint.settings.model}: {reply.usage.output_tokens} tokens{cut}"
        return Result((self._part(reply.text, names),), told, reply.usage)

    def _part(self, said: str, names: Sequence[str]) -> Part:
        match self._settings.task:
            case "plan":
                return tasks_part(tasks_in(said))
            case "vote":
                return ballots.ballot_part(ballots.ballot_in(said, names))
            case _:
                return Part(text=said, media_type="text/markdown")

    def _instructions(self, names: Sequence[str]) -> str:
        match self._settings.task:
            case "plan":
                return f"{self._settings.instructions}\n{form(self._settings.max_tasks, self._settings.may_use)}"
            case "synthesize":
                return f"{WRITING}\n{self._settings.instructions}"
            case "vote":
                return f"{self._settings.instructions}\n{ballots.form(names)}"
            case _:
                return self._settings.instructions


class _Quietly:
    """Passes progress on and keeps the pieces: half a list is of no use to anybody."""

    def __init__(self, saying: Saying) -> None:
        self.progress = saying.progress

    async def piece(self, text: str) -> None:
        """Keep it."""
