"""Specialists that behave and misbehave to order, for the tests of whoever sends tasks to agents.

A fleet serves any number of agents on one port, speaking A2A 1.0 over JSON-RPC, and writes down
what it was asked. It is plain ASGI and plain JSON, so it can say what a proper server could not.

    from coordinator.testing import Behaviour, Specialist, answers, crowd, fleet

    async with fleet([
        Specialist("good", Behaviour(steps=("reading",), artifacts=(answers.text("fine"),))),
        Specialist("flaky", [Behaviour(http_error=503, retry_after=0.1), Behaviour()]),  # by send
        Specialist("lost", Behaviour(reset="after"), skills=("python-review",)),
        *crowd(100, Specialist("many", Behaviour(work_s=1.0))),  # many-00 … many-99
    ]) as network:
        network.write_cards(tmp_path / "cards")     # a folder for `Settings(agents=…)`
        network["good"].url                         # http://127.0.0.1:…/good/ ; the card is below it
        network["good"].hold()                      # work stops before its end …
        await network.until(lambda: network["good"].waiting() == 1)
        network["good"].release()                   # … and goes on: no sleeps in tests
        network["flaky"].counts.sends               # also gets, lists, cancels, subscribes, tasks, open,
        network["lost"].counts.doubled              # most_open, streams, by_message, tasks_by_message
        network["flaky"].received[0].headers        # every request, in order; network.ledger.journal for all

Gates are `arrival` (before a send takes effect), `created` (the task exists, nobody was told), `start`,
`end`, and `get`, `list`, `cancel` (before these take effect). `behave(script)` changes the script,
`restart()` makes the agent forget its tasks. `Behaviour` lists everything an agent can do wrong,
`faults.py` holds the table; `scripts.SCRIPTS` has ready ones by name.

Tests that kill processes use `fleet_process([...])`, which has the same methods as coroutines, or

    python -m coordinator.testing --agents 100 --port 0 --script working     # {"url": "http://…", "agents": 100}

Nothing of the coordinator itself is used here, and nothing of it uses this package.
"""

from coordinator.testing import answers
from coordinator.testing.agent import Agent
from coordinator.testing.behaviour import Behaviour, LogNormal, Script, Specialist, Uniform
from coordinator.testing.fleet import Fleet, crowd, fleet
from coordinator.testing.ledger import Counts, Received
from coordinator.testing.process import RemoteFleet, fleet_process
from coordinator.testing.scripts import SCRIPTS

__all__ = [
    "SCRIPTS",
    "Agent",
    "Behaviour",
    "Counts",
    "Fleet",
    "LogNormal",
    "Received",
    "RemoteFleet",
    "Script",
    "Specialist",
    "Uniform",
    "answers",
    "crowd",
    "fleet",
    "fleet_process",
]
