"""What a fleet tells and lets itself be told over HTTP, for tests in another process.

| request                          | what it does                                                              |
|----------------------------------|---------------------------------------------------------------------------|
| `GET /cards`                     | all Agent Cards                                                           |
| `GET /journal?agent=&params=1`   | every request received, with its parameters if asked for                  |
| `GET /sent?agent=`               | the latest things sent: answers, events of streams, pushes, broken connections |
| `GET /counts`                    | counts of each agent, and of all                                          |
| `GET /wait?agent=&count=sends&at_least=2&timeout_s=10` | answers with the count once it is reached, else 504 |
| `POST /reset`                    | forget everything, tasks too                                              |
| `POST /agents/{name}/script`     | another script (JSON in the body)                                         |
| `POST /agents/{name}/hold`, `…/release` | close, open gates: `{"points": ["end"]}` or nothing                |
| `POST /agents/{name}/restart`    | forget the agent's tasks, reset its connections                           |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.testing.agent import Agent
from coordinator.testing.behaviour import Point, script_from
from coordinator.testing.ledger import Ledger

MOST_S = 60.0


class Steered(Protocol):
    """What the pages need of a fleet."""

    agents: dict[str, Agent]
    ledger: Ledger

    def reset(self) -> None:
        """Forget everything."""
        ...

    async def until(self, condition: Callable[[], object], *, timeout_s: float) -> None:
        """Wait for something to become true. Raises `TimeoutError`."""
        ...


class Pages:
    """The pages of one fleet."""

    def __init__(self, fleet: Steered) -> None:
        self._fleet = fleet

    def application(self) -> Starlette:
        """Return the ASGI application."""
        looking = {
            "/cards": self.cards,
            "/journal": self.journal,
            "/sent": self.sent,
            "/counts": self.counts,
            "/wait": self.wait,
        }
        steering = {
            "/reset": self.reset,
            "/agents/{name}/script": self.script,
            "/agents/{name}/hold": self.hold,
            "/agents/{name}/release": self.release,
            "/agents/{name}/restart": self.restart,
        }
        routes = [Route(path, page, methods=["GET"]) for path, page in looking.items()]
        return Starlette(routes=[*routes, *(Route(path, page, methods=["POST"]) for path, page in steering.items())])

    async def cards(self, _: Request) -> Response:
        """All Agent Cards."""
        return JSONResponse([agent.card() for agent in self._fleet.agents.values()])

    async def journal(self, request: Request) -> Response:
        """What was received, by everybody or by one agent."""
        agent, with_params = request.query_params.get("agent"), "params" in request.query_params
        journal = [received for received in self._fleet.ledger.journal if not agent or received.agent == agent]
        return JSONResponse([received.as_json(with_params=with_params) for received in journal])

    async def sent(self, request: Request) -> Response:
        """What was sent, by everybody or by one agent."""
        agent = request.query_params.get("agent")
        return JSONResponse([sent.as_json() for sent in self._fleet.ledger.sent if not agent or sent.agent == agent])

    async def counts(self, _: Request) -> Response:
        """How often everybody was asked for what."""
        return JSONResponse(self._fleet.ledger.as_json())

    async def wait(self, request: Request) -> Response:
        """One count, once it is reached."""
        asked = request.query_params
        name, count, at_least = asked.get("agent", ""), asked["count"], int(asked.get("at_least", 1))

        def reached() -> int:
            counts = self._fleet.ledger.of(name) if name else self._fleet.ledger.total
            number: int = getattr(counts, count)
            return number

        patience = min(MOST_S, float(asked.get("timeout_s", 10)))
        try:
            await self._fleet.until(lambda: reached() >= at_least, timeout_s=patience)
        except TimeoutError as error:
            raise HTTPException(504, f"{count} is {reached()}, not {at_least}") from error
        return JSONResponse(reached())

    async def reset(self, _: Request) -> Response:
        """Forget everything."""
        self._fleet.reset()
        return _done()

    async def script(self, request: Request) -> Response:
        """Begin another script."""
        agent = self._agent(request)
        try:
            agent.behave(script_from(await request.json()))
        except (ValueError, TypeError) as error:
            raise HTTPException(400, str(error)) from error
        return _done()

    async def hold(self, request: Request) -> Response:
        """Close gates."""
        self._agent(request).hold(*await _points(request))
        return _done()

    async def release(self, request: Request) -> Response:
        """Open gates."""
        self._agent(request).release(*await _points(request))
        return _done()

    async def restart(self, request: Request) -> Response:
        """Forget the agent's tasks and reset its connections."""
        self._agent(request).restart()
        return _done()

    def _agent(self, request: Request) -> Agent:
        agent = self._fleet.agents.get(request.path_params["name"])
        if agent is None:
            raise HTTPException(404, f"there is no agent {request.path_params['name']}")
        return agent


async def _points(request: Request) -> list[Point]:
    body = await request.body()
    points: list[Point] = json.loads(body)["points"] if body else []
    if unknown := set(points) - set(get_args(Point)):
        raise HTTPException(400, f"there is no gate {', '.join(sorted(unknown))}")
    return points


def _done() -> Response:
    return Response(status_code=204)
