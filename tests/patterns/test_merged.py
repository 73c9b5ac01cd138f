"""What the answer of a pattern looks like: keys, order, votes, contradictions."""

import asyncio

from coordinator.core.extension import URI
from coordinator.core.model import Part
from coordinator.testing import Behaviour, Specialist, answers
from coordinator.wire import content_out
from tests.escalation.rig import reply, results, state, words
from tests.patterns.rig import FIVE, brings, finds, held, pattern, says
from tests.planning.making import data, files
from tests.policies.rig import echo, given, release
from tests.protocol.clients import message, texts

HIGH = {"id": "login", "text": "No rate limit at the login", "severity": "high", "confidence": 60}
LOW = HIGH | {"severity": "low", "confidence": 90}


def items_of(answer):
    return [one["item"] for one in answer.parts[0]["items"]]


async def test_keyed_state_holds_each_answer_under_the_key_of_its_agent(tmp_path):
    staff = [
        says("finance", "it costs 900 euros"),
        says("legal", "nobody is liable"),
        brings("researcher", {"sources": 3}),
    ]
    async with pattern(tmp_path, "keyed-state", staff) as (_, coordinator):
        answer = await coordinator.ask()
    assert answer.state == "COMPLETED"
    assert answer.parts[0]["state"] == {
        "research_result": {"sources": 3},
        "legal_review": "nobody is liable",
        "financial_model": "it costs 900 euros",
    }


async def test_keyed_state_fails_when_a_key_would_be_missing(tmp_path):
    lost = Specialist("legal", Behaviour(end="rejected"))
    async with pattern(tmp_path, "keyed-state", [says("researcher"), lost, says("finance")]) as (_, coordinator):
        answer = await coordinator.ask()
    assert answer.state == "FAILED"
    assert answer.outcomes == {
        "gather/researcher": "succeeded",
        "gather/legal": "failed",
        "gather/finance": "succeeded",
    }


async def test_ordered_tells_results_in_the_order_of_the_files_whoever_was_first(tmp_path):
    names = [f"{number}.txt" for number in range(5)]
    async with pattern(tmp_path, "ordered", held(FIVE)) as (fleet, coordinator), asyncio.TaskGroup() as group:
        asking = group.create_task(coordinator.ask(*files(*names)))
        for name in reversed(FIVE):
            await fleet.until(lambda name=name: fleet[name].waiting())
            fleet[name].release()
            await fleet.until(lambda name=name: not fleet[name].counts.open)
    answer = asking.result()
    assert given(fleet, *FIVE) == [[name] for name in names]
    assert (answer.state, answer.parts) == ("COMPLETED", list(FIVE))
    told = [text for chunk in answer.chunks for text in texts(chunk)]
    assert told == list(FIVE)


async def test_ordered_tells_the_first_results_while_the_last_ones_are_still_at_work(tmp_path):
    async with pattern(tmp_path, "ordered", held(FIVE)) as (fleet, coordinator):
        sent = message(parts=[content_out(part) for part in files(*FIVE)])
        told = []
        async for event in coordinator.caller.stream(sent):
            if event.HasField("task"):
                for name in FIVE[:2]:
                    await fleet.until(lambda name=name: fleet[name].waiting())
                    fleet[name].release()
            if event.HasField("artifact_update"):
                told += texts(event.artifact_update)
                release(fleet)  # only when the first result has arrived
    assert told == list(FIVE)


async def test_as_completed_tells_an_answer_while_the_others_are_still_at_work(tmp_path):
    quick, slow = says("quick"), says("slow", holds=("end",))
    async with pattern(tmp_path, "as-completed", [slow, quick]) as (fleet, coordinator):
        told = []

        async for event in coordinator.caller.stream(message(metadata={URI: {"partials": True}})):
            if event.HasField("artifact_update"):
                told.append((event.artifact_update.artifact.artifact_id, fleet.counts.open))
                release(fleet)  # only when the first answer has arrived
    assert told == [("work/quick/answer", 1), ("work/slow/answer", 0), ("work/merged", 0)]


async def test_each_item_is_one_sub_task_and_one_entry_under_its_id(tmp_path):
    users = [{"id": f"user-{number:02}", "status": f"inbox of user {number}"} for number in range(10)]
    staff = [Specialist(name, skills=("provision",)) for name in ("a", "b", "c")]
    async with pattern(tmp_path, "each-item", staff) as (fleet, coordinator):
        echo(fleet.agents.values())
        answer = await coordinator.ask(data({"items": users}))
        sent = given(fleet)
    assert answer.state == "COMPLETED"
    assert items_of(answer) == users
    assert sorted(parts[1]["items"][0]["id"] for parts in sent) == [user["id"] for user in users]
    assert all(len(parts[1]["items"]) == 1 for parts in sent)
    assert f"Provision this (1 of {len(users)})." in [parts[0] for parts in sent]


async def test_each_item_keeps_what_was_done_when_one_fails(tmp_path):
    refusing = Specialist("b", Behaviour(end="rejected"), skills=("provision",))
    async with pattern(tmp_path, "each-item", [Specialist("a", skills=("provision",)), refusing]) as (
        fleet,
        coordinator,
    ):
        echo([fleet["a"]])
        answer = await coordinator.ask(data({"items": [{"id": "one"}, {"id": "two"}]}))
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert items_of(answer) == [{"id": "one"}]


async def test_dozens_of_small_agents_make_one_list_with_what_most_agree_on_first(tmp_path):
    rare = {"id": "rare", "text": "The word is rare", "severity": "medium", "confidence": 90}
    agreed = {"id": "agreed", "text": "No tests cover it", "severity": "medium", "confidence": 70}
    staff = [
        finds(f"check-{number:02}", *([agreed] if number % 2 else []), *([rare] if number == 7 else []))
        for number in range(48)
    ]
    async with pattern(tmp_path, "dozens", staff) as (fleet, coordinator):
        answer = await coordinator.ask()
        assert fleet.counts.tasks == 48
    assert answer.state == "COMPLETED"
    first, second = answer.parts[0]["items"]
    assert (first["item"]["id"], first["votes"]) == ("agreed", 24)
    assert (second["item"]["id"], second["votes"]) == ("rare", 1)


async def test_dozens_of_agents_are_all_at_work_at_once(tmp_path):
    staff = [says(f"check-{number:02}", skill="check", holds=("end",)) for number in range(48)]
    async with pattern(tmp_path, "dozens", staff) as (fleet, coordinator):

        def watch(_):
            if fleet.counts.open == 48:
                release(fleet)

        assert (await coordinator.ask(watch=watch)).state == "COMPLETED"


def reviewer(name, *found):
    return Specialist(name, Behaviour(artifacts=(answers.findings(*found),)), skills=("python-review",))


async def test_reviewers_report_from_confidence_80_on_and_each_thing_once(tmp_path):
    unsure = answers.finding(rule="U1", kind="dead-code", confidence=79, statement=9)
    sure = answers.finding(rule="S1", kind="shell-injection", confidence=80, statement=20)
    staff = [
        reviewer("lint", answers.finding(confidence=60)),
        reviewer("security", sure),
        reviewer("types", answers.finding(confidence=95)),
        reviewer("deadcode", unsure),
        reviewer("complexity"),
    ]
    async with pattern(tmp_path, "reviewers", staff) as (_, coordinator):
        answer = await coordinator.ask(Part("text", "import os", "text/x-python", "app.py"))
    assert answer.state == "COMPLETED"
    told = {one["kind"]: (one["votes"], one["confidence"]) for one in answer.parts[0]["items"]}
    assert told == {"unused-import": (2, 95), "shell-injection": (1, 80)}
    assert answer.record["merge"]["dropped"] == {"min_confidence": 1, "min_votes": 0}


async def test_a_vote_goes_to_the_verdict_of_the_majority_even_against_the_surest(tmp_path):
    staff = [
        brings("ada", {"verdict": "accept", "confidence": 60}, skill="judge"),
        brings("bob", {"verdict": "accept", "confidence": 55}, skill="judge"),
        brings("eve", {"verdict": "reject", "confidence": 99}, skill="judge"),
    ]
    async with pattern(tmp_path, "vote", staff) as (_, coordinator):
        answer = await coordinator.ask()
    assert (answer.parts[0]["winner"], answer.parts[0]["votes"]) == ("accept", 2)


async def test_the_most_confident_agent_is_believed_where_agents_contradict_each_other(tmp_path):
    async with pattern(tmp_path, "most-confident", [finds("ada", HIGH), finds("bob", LOW)]) as (_, coordinator):
        answer = await coordinator.ask()
    (item,) = answer.parts[0]["items"]
    assert item["item"]["severity"] == "low"
    assert [conflict["by"] for conflict in item["conflicts"]] == ["highest_confidence"]


async def test_an_arbiter_decides_contradictions_and_is_asked_about_nothing_else(tmp_path):
    calm = {"id": "calm", "text": "All agree on this", "severity": "info", "confidence": 50}
    arbiter = brings("arbiter", {"verdicts": {"1": "low"}}, skill="arbitration")
    staff = [finds("ada", HIGH, calm), finds("bob", LOW | {"confidence": 10}, calm), arbiter]
    async with pattern(tmp_path, "arbiter", staff) as (fleet, coordinator):
        answer = await coordinator.ask()
        ((_, asked),) = given(fleet, "arbiter")
    assert {one["item"]["id"]: one["item"]["severity"] for one in answer.parts[0]["items"]} == {
        "login": "low",
        "calm": "info",
    }
    assert [one["field"] for one in asked["contradictions"]] == ["severity"]


async def test_without_contradictions_the_arbiter_is_not_asked(tmp_path):
    staff = [finds("ada", HIGH), finds("bob", HIGH), Specialist("arbiter", skills=("arbitration",))]
    async with pattern(tmp_path, "arbiter", staff) as (fleet, coordinator):
        assert (await coordinator.ask()).state == "COMPLETED"
        assert fleet["arbiter"].counts.sends == 0


async def test_a_contradiction_is_put_to_the_client_whose_word_counts(tmp_path):
    async with pattern(tmp_path, "human-review", [finds("ada", HIGH), finds("bob", LOW)]) as (_, coordinator):
        task = await coordinator.caller.send(message("How bad is it?"))
        assert state(task) == "INPUT_REQUIRED"
        assert "severity: high (ada) or low (bob)" in words(task)
        task = await coordinator.caller.send(reply(task, "trust ada"))
    assert state(task) == "COMPLETED"
    assert results(task)[0]["items"][0]["item"]["severity"] == "high"


async def test_the_same_thing_in_other_words_is_one_thing_once_the_judge_says_so(tmp_path):
    one = {"id": "A1", "text": "This SQL query is vulnerable to injection", "confidence": 60}
    other = {"id": "B1", "text": "The SQL query concatenates input and is open to injection", "confidence": 90}
    third = {"id": "B2", "text": "Function too long", "confidence": 90}
    arbiter = brings("arbiter", {"same": ["1"]}, skill="arbitration")
    async with pattern(tmp_path, "same-things", [finds("ada", one), finds("bob", other, third), arbiter]) as (
        fleet,
        coordinator,
    ):
        answer = await coordinator.ask()
        ((_, asked),) = given(fleet, "arbiter")
    assert len(asked["pairs"]) == 1
    assert {(one["item"]["id"], one["votes"]) for one in answer.parts[0]["items"]} == {("B1", 2), ("B2", 1)}
