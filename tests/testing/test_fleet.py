"""Steering a fleet and reading what it was asked, here and from another process."""

import asyncio
import json
import sys

import httpx
import pytest
from a2a.client.errors import A2AClientError

from coordinator.testing import SCRIPTS, Behaviour, Script, Specialist, Uniform, crowd, fleet, fleet_process
from coordinator.testing.__main__ import main
from coordinator.testing.behaviour import as_json, behaviour_from, script_from, specialist_from
from tests.testing.caller import Caller, state


async def test_a_crowd_shares_one_port_and_is_counted_together(http):
    async with fleet(crowd(12, Specialist("many", Behaviour()))) as network:
        for agent in network.agents.values():
            agent.hold()
        async with asyncio.TaskGroup() as group:
            for agent in network.agents.values():
                group.create_task((await Caller.of(agent, http)).told())
            await network.until(lambda: network.counts.open == 12)
            for agent in network.agents.values():
                agent.release()
        assert (network.counts.sends, network.counts.tasks, network.counts.most_open) == (12, 12, 12)
        assert {agent.counts.most_open for agent in network.agents.values()} == {1}
        assert "many-07" in network.agents


async def test_every_request_is_written_down_with_its_headers(serve):
    network, agent, caller = await serve(Behaviour())
    await caller.told("please", message_id="m-1", key="k-1")
    (task_id,) = agent.tasks
    await caller.get(task_id)
    card, send, get = agent.received
    assert (card.operation, send.operation, get.operation) == ("card", "send", "get")
    assert (send.method, send.message_id, send.headers["idempotency-key"]) == ("SendStreamingMessage", "m-1", "k-1")
    assert send.params["message"]["parts"] == [{"text": "please"}]
    assert get.task_id == task_id
    assert [received.number for received in network.ledger.journal] == [1, 2, 3]


async def test_a_message_that_became_two_tasks_is_noticed(serve):
    _, agent, caller = await serve(Behaviour())
    await caller.task(message_id="m-1")
    await caller.task(message_id="m-2")
    assert agent.counts.doubled == []
    await caller.task(message_id="m-1")
    assert agent.counts.doubled == ["m-1"]


async def test_a_request_held_at_its_arrival_takes_effect_though_its_client_has_gone(serve):
    network, agent, caller = await serve(Behaviour())
    agent.hold("arrival")
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(caller.task())
        await network.until(lambda: agent.waiting("arrival"))
        assert not agent.tasks
        sending.cancel()
    agent.release()
    await network.until(lambda: agent.counts.tasks == 1)


async def test_a_task_can_exist_before_anybody_hears_of_it(serve):
    network, agent, caller = await serve(Behaviour(holds=("created",)))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(caller.task())
        await network.until(lambda: agent.waiting("created"))
        assert len(agent.tasks) == 1
        assert not sending.done()
        agent.release("created")
    assert state(sending.result()) == "completed"


async def test_a_script_can_be_changed_while_it_runs(serve):
    _, agent, caller = await serve(Behaviour())
    agent.behave(Script((Behaviour(end="failed"), Behaviour()), "cycle"))
    assert [(await caller.told())[-1] for _ in range(3)] == ["failed", "completed", "failed"]


async def test_the_same_seed_gives_the_same_sequence(http):
    script = Script((Behaviour(), Behaviour(end="failed")), "random")

    async def sequence(seed):
        async with fleet([Specialist("one", script)], seed=seed) as network:
            caller = await Caller.of(network["one"], http)
            return [(await caller.told())[-1] for _ in range(12)]

    first = await sequence(1)
    assert first == await sequence(1)
    assert set(first) == {"completed", "failed"}
    assert first != await sequence(2)


async def test_a_restart_resets_connections_and_forgets_tasks(serve):
    network, agent, caller = await serve(Behaviour(never_ends=True))
    events = caller.events()
    await anext(events)
    agent.restart()
    with pytest.raises(Exception, match=r"reset|closed|payload"):
        [event async for event in events]
    await network.until(lambda: not agent.counts.open)
    assert not agent.tasks


async def test_a_reset_makes_everything_as_it_was(serve):
    network, agent, caller = await serve([Behaviour(end="failed"), Behaviour()])
    agent.hold("get")
    await caller.task()
    network.reset()
    assert (agent.received, agent.counts.sends, agent.tasks) == ([], 0, {})
    assert (await caller.told())[-1] == "failed"


async def test_leaving_ends_what_is_held(http):
    async with fleet([Specialist("one", Behaviour(never_ends=True)), "two"]) as network:
        network["two"].hold("arrival")
        callers = [await Caller.of(agent, http) for agent in network.agents.values()]
        async with asyncio.TaskGroup() as group:
            sending = [group.create_task(caller.task()) for caller in callers]
            await network.until(lambda: network["one"].tasks and network["two"].waiting("arrival"))
            for each in sending:
                each.cancel()


async def test_a_test_sees_its_own_error():
    with pytest.raises(ZeroDivisionError):
        async with fleet(["one"]):
            raise ZeroDivisionError


async def test_waiting_for_what_does_not_happen_tells_what_did():
    async with fleet(["one"]) as network:
        with pytest.raises(TimeoutError, match="sends=0"):
            await network.until(lambda: network.counts.sends, timeout_s=0.01)


@pytest.mark.parametrize("name", ["journal", "", "a/b"])
async def test_an_agent_cannot_hide_a_page(name):
    with pytest.raises(ValueError, match="cannot be named"):
        async with fleet([name]):
            pass


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_named_script_survives_json(name):
    script = SCRIPTS[name].script
    assert script_from(json.loads(json.dumps(as_json(script)))) == script


def test_a_specialist_survives_json():
    behaviours = (Behaviour(work_s=Uniform(0.1, 0.2), during=("get",)), Behaviour())
    specialist = Specialist("one", Script(behaviours, "cycle"), skills=("a", "b"), streaming=False)
    assert specialist_from(json.loads(json.dumps(as_json(specialist)))) == specialist


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"colour": "red"}, "no field colour"),
        ({"end": "exploded"}, "end: 'exploded' is none of"),
        ({"during": ["lunch"]}, "during: 'lunch'"),
        ({"behaviours": [], "then": "last"}, "at least one"),
        ({"behaviours": [{}], "then": "never"}, "then: 'never'"),
        ({"behaviours": [{}], "speed": 1}, "no field speed"),
        ([], "at least one"),
        ("good", "is an object"),
    ],
)
def test_a_script_that_makes_no_sense_is_named(document, problem):
    with pytest.raises(ValueError, match=problem):
        script_from(document)


def test_a_behaviour_knows_its_fields():
    assert behaviour_from({"steps": ["a"], "work_s": 1}) == Behaviour(steps=("a",), work_s=1)
    with pytest.raises(ValueError, match="no field speed"):
        specialist_from({"name": "a", "speed": 1})
    with pytest.raises(ValueError, match="with a name"):
        specialist_from({})


async def test_a_fleet_is_steered_over_http(serve, http):
    network, agent, caller = await serve(Behaviour())
    page = network.url + "/agents/one"
    assert (await http.post(f"{page}/script", json={"end": "failed"})).status_code == 204
    assert (await http.post(f"{page}/hold")).status_code == 204
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(caller.told())
        reached = await http.get(f"{network.url}/wait", params={"count": "open", "agent": "one"})
        assert reached.json() == 1
        await http.post(f"{page}/release", json={"points": ["end"]})
    assert sending.result()[-1] == "failed"
    counts = (await http.get(f"{network.url}/counts")).json()
    assert counts["agents"]["one"]["sends"] == counts["total"]["sends"] == 1
    journal = (await http.get(f"{network.url}/journal", params={"agent": "one"})).json()
    assert [received["operation"] for received in journal] == ["card", "send"]
    assert (await http.post(f"{page}/restart")).status_code == 204
    assert (await http.post(f"{network.url}/reset")).status_code == 204
    assert (agent.counts.sends, agent.tasks) == (0, {})


async def test_wrong_steering_is_refused(serve, http):
    network, _, _ = await serve(Behaviour())
    page = network.url + "/agents/one"
    assert (await http.post(f"{network.url}/agents/two/hold")).status_code == 404
    assert (await http.post(f"{page}/hold", json={"points": ["lunch"]})).status_code == 400
    assert (await http.post(f"{page}/script", json={"speed": 1})).status_code == 400
    late = await http.get(f"{network.url}/wait", params={"count": "sends", "timeout_s": 0.01})
    assert (late.status_code, late.text) == (504, "sends is 0, not 1")
    assert (await http.get(f"{network.url}/one/")).status_code == 404
    broken = (await http.post(f"{network.url}/one/", content=b"{")).json()
    assert broken["error"]["code"] == -32700


@pytest.mark.processes
async def test_a_fleet_in_another_process_is_steered_alike(http, tmp_path):
    async with fleet_process([Specialist("one", Behaviour(reset="before")), Specialist("two")]) as network:
        cards = await network.write_cards(tmp_path / "cards")
        assert sorted(card.name for card in cards.iterdir()) == ["one.json", "two.json"]
        caller = await Caller.of(Named(f"{network.url}/one/"), http)
        with pytest.raises(A2AClientError):
            await caller.told()
        await network.behave("one", Behaviour(end="failed"))
        await network.hold("one")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(caller.told())
            await network.until("open", agent="one")
            await network.release("one")
        assert sending.result()[-1] == "failed"
        assert (await network.counts("one"))["sends"] == (await network.counts())["sends"] == 2
        assert [received["operation"] for received in await network.journal("one")] == ["card", "send", "send"]
        await network.restart("one")
        await network.reset()
        assert (await network.counts())["sends"] == 0


class Named:
    def __init__(self, url):
        self.url = url


@pytest.mark.processes
async def test_a_fleet_is_started_by_a_command_and_ends_with_its_input(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"end": "failed"}]))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator.testing", "--agents", "3", "--script", script, "--until-eof"),
        *("--write-cards", tmp_path / "cards"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    started = json.loads(await process.stdout.readline())
    async with httpx.AsyncClient() as http:
        cards = (await http.get(started["cards"])).json()
        one = (await http.get(f"{started['url']}/agent-1/.well-known/agent-card.json")).json()
    assert one == cards[1]
    assert [card["name"] for card in cards] == ["agent-0", "agent-1", "agent-2"]
    assert [json.loads(file.read_text()) for file in sorted((tmp_path / "cards").iterdir())] == cards
    process.stdin.close()
    assert await process.wait() == 0


def test_the_command_lists_the_scripts_and_names_what_is_wrong(capsys):
    assert main(["--list"]) == 0
    assert set(SCRIPTS) <= set(capsys.readouterr().out.split())
    assert main(["--script", '{"speed": 1}']) == 2
    assert "no field speed" in capsys.readouterr().err


@pytest.mark.parametrize("told", [["--script", "flaky", "--agents", "2"], ["--fleet", "-"], ["--script", "[{}]"]])
@pytest.mark.processes
async def test_the_command_takes_its_agents_in_several_ways(told):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator.testing", *told),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    process.stdin.write(b'[{"name": "one", "script": {"message": "hello"}}, {"name": "two"}]\n')
    started = json.loads(await process.stdout.readline())
    assert started["agents"] == (1 if told[1] == "[{}]" else 2)
    process.terminate()
    assert await process.wait() == 0
