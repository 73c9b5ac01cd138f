"""An agent that cannot be reached is left alone for a while, and whoever can do its work gets it at once."""

import socket

from coordinator import testing
from coordinator.testing import Behaviour, Specialist
from tests.limits.seeing import LINES, agent, plan
from tests.planning.making import text
from tests.policies.rig import coordinating

DOWN = Behaviour(http_error=503)
FIVE = text("\n".join("abcde"))


async def test_after_failures_in_a_row_the_work_goes_to_another_agent_without_asking_the_first(tmp_path):
    moving = plan(to={"agents": ["ada", "bob"]}, fan_out={"split": LINES}, on_failure={"fallback": 1})
    async with (
        testing.fleet([Specialist("ada", DOWN), "bob"]) as fleet,
        coordinating(tmp_path, fleet, moving, circuit_failures=1, circuit_pause="1h") as coordinator,
    ):
        assert (await coordinator.ask(FIVE)).state == "COMPLETED"
        sends = fleet["ada"].counts.sends
        again = await coordinator.ask(FIVE)
        assert again.state == "COMPLETED"
        assert fleet["ada"].counts.sends == sends
        assert {branch["agent"] for branch in again.branches.values()} == {"bob"}
        circuit = (await agent(coordinator, "ada"))["circuit"]
    assert circuit["state"] == "open"
    assert 3500 < circuit["retrySeconds"] <= 3600


async def test_whoever_has_nobody_else_fails_at_once_and_says_when_the_next_try_is(tmp_path):
    async with (
        testing.fleet([Specialist("ada", DOWN)]) as fleet,
        coordinating(tmp_path, fleet, plan(), circuit_failures=1, circuit_pause="1h") as coordinator,
    ):
        await coordinator.ask()
        answer = await coordinator.ask()
        assert fleet["ada"].counts.sends == 1
    error = answer.branches["work/ada"]["error"]
    assert error["kind"] == "circuit_open"
    assert error["message"].startswith("circuit open after a failure, next try in 3")
    assert error["message"].endswith("; the last one: HTTP 503: it answers 'service unavailable'")


async def test_a_retry_waits_for_the_pause_tries_and_closes_the_circuit(tmp_path):
    patient = plan(on_failure={"retry": {"attempts": 3, "backoff": "1ms..2ms"}})
    async with (
        testing.fleet([Specialist("ada", [DOWN, Behaviour()])]) as fleet,
        coordinating(tmp_path, fleet, patient, circuit_failures=1, circuit_pause="200ms") as coordinator,
    ):
        answer = await coordinator.ask()
        assert answer.state == "COMPLETED"
        assert (answer.branches["work/ada"]["attempts"], fleet["ada"].counts.sends) == (3, 2)
        assert (await agent(coordinator, "ada"))["circuit"]["state"] == "closed"


async def test_without_a_number_of_failures_an_agent_is_always_asked(tmp_path):
    async with (
        testing.fleet([Specialist("ada", DOWN)]) as fleet,
        coordinating(tmp_path, fleet, plan(), circuit_failures=0) as coordinator,
    ):
        for _ in range(7):
            await coordinator.ask()
        assert fleet["ada"].counts.sends == 7


async def test_an_agent_whose_port_is_closed_is_shown_with_its_open_circuit(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    card = {"supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]}
    async with (
        testing.fleet([Specialist("ada", card=card)]) as fleet,
        coordinating(tmp_path, fleet, plan(), circuit_failures=2) as coordinator,
    ):
        kinds = [(await coordinator.ask()).branches["work/ada"]["error"]["kind"] for _ in range(3)]
        shown = (await agent(coordinator, "ada"))["circuit"]
    assert kinds == ["unreachable", "unreachable", "circuit_open"]
    assert (shown["state"], shown["failures"]) == ("open", 2)
    assert shown["lastFailure"].startswith("no connection: 127.0.0.1:")
