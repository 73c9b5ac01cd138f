"""Merges that ask: a writer, a judge, or the client, over sockets."""

import pytest

from coordinator import testing
from coordinator.core.extension import PARTIAL, PROGRESS, URI
from coordinator.testing import Behaviour, Specialist
from coordinator.wire import json_in
from tests.escalation.rig import ACTIVE, questions, reply, results, state, words
from tests.planning.making import text
from tests.policies.rig import coordinating, given, told
from tests.protocol.clients import message, metadata_of, texts

VERDICTS = {"verdicts": {"1": "low"}}


def one(**merge):
    to = {"agents": ["ada", "bob"]}
    stage = {"fan_out": {"to": to}, "merge": merge}
    return {"name": "one", "description": "One stage.", "stages": {"work": stage}}


def saying(name, severity):
    found = {"items": [{"id": 1, "severity": severity, "confidence": 80, "text": "a hole"}]}
    return Specialist(name, Behaviour(artifacts=({"artifactId": "a", "parts": [{"data": found}]},)))


def judge(**behaviour):
    decided = {"artifactId": "verdicts", "parts": [{"data": VERDICTS}]}
    return Specialist("eve", Behaviour(**{"artifacts": (decided,)} | behaviour))


CONTRARY = [saying("ada", "high"), saying("bob", "low")]


async def test_a_further_agent_writes_from_what_the_others_answered(tmp_path):
    staff = [Specialist("ada", told("one")), Specialist("bob", told("two")), Specialist("eve", told("one and two"))]
    document = one(strategy="synthesize", agent="eve")
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("write"))
        assert answer.parts == ["one and two"]
        assert given(fleet, "eve")[0][1:] == ["one", "two"]
        assert answer.record["merge"]["written_by"] == "eve"
        assert answer.record["tally"]["total"] == 2, "who writes is not one of the branches the plan counts"
        assert answer.outcomes["work.merge/eve"] == "succeeded"


async def test_when_nobody_writes_the_answer_is_the_material(tmp_path):
    failing = Specialist("eve", Behaviour(end="failed", end_text="no ink"))
    staff = [Specialist("ada", told("one")), Specialist("bob", told("two")), failing]
    document = one(strategy="synthesize", agent="eve")
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("write"))
        assert (answer.state, answer.parts) == ("COMPLETED", ["one", "two"])
        assert "no ink" in answer.task.artifacts[0].description
        assert answer.record["verdict"] == "complete"


async def test_an_agent_that_is_asked_settles_contradictions(tmp_path):
    document = one(strategy="items", conflicts={"ask": "eve"})
    async with testing.fleet([*CONTRARY, judge()]) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("look"))
        (item,) = answer.parts[0]["items"]
        assert item["item"]["severity"] == "low"
        assert item["conflicts"][0]["by"] == "ask eve"
        assert fleet["eve"].counts.sends == 1


def naming(name, number, words):
    found = {"items": [{"id": number, "text": words}]}
    return Specialist(name, Behaviour(artifacts=({"artifactId": "a", "parts": [{"data": found}]},)))


DOUBTFUL = [naming("ada", 1, "the password is in the code"), naming("bob", 2, "a password was in the code")]


def same(*numbers):
    return judge(artifacts=({"artifactId": "same", "parts": [{"data": {"same": list(numbers)}}]},))


async def test_an_agent_that_is_asked_joins_what_is_the_same_in_other_words(tmp_path):
    document = one(strategy="items", similarity=90, judge="eve")
    async with testing.fleet([*DOUBTFUL, same("1")]) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("look"))
        (item,) = answer.parts[0]["items"]
        assert [source["agent"] for source in item["sources"]] == ["ada", "bob"]
        words_, pairs = given(fleet, "eve")[0]
        assert "Answer with a data part" in words_
        assert [[one["item"]["id"] for one in pair["items"]] for pair in pairs["pairs"]] == [[2, 1]]
        assert answer.record["merge"]["judged"] == {"pairs": 1, "same": 1, "joined": 1, "undecided": 0}
        assert answer.outcomes["work.merge/eve"] == "succeeded"


@pytest.mark.parametrize(
    ("eve", "reason"),
    [
        (judge(end="failed", end_text="no time"), "eve: its task failed: no time"),
        (same("7"), "it named pairs it was not asked about, such as 7"),
    ],
    ids=["fails", "talks nonsense"],
)
async def test_what_the_judge_does_not_decide_stays_apart(tmp_path, eve, reason):
    document = one(strategy="items", similarity=90, judge="eve")
    async with testing.fleet([*DOUBTFUL, eve]) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("look"))
        assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
        assert len(answer.parts[0]["items"]) == 2
        assert answer.record["merge"]["not_judged"] == reason


@pytest.mark.parametrize(
    "merge",
    [
        {"strategy": "synthesize", "agent": "nobody"},
        {"strategy": "items", "similarity": 90, "judge": "nobody"},
    ],
    ids=["writer", "judge"],
)
async def test_a_plan_that_asks_whom_nobody_knows_is_refused_before_anything_is_sent(tmp_path, merge):
    async with testing.fleet(CONTRARY) as fleet, coordinating(tmp_path, fleet, one(**merge)) as it:
        answer = await it.ask(text("write"))
        assert "no agent is named nobody" in answer.refusal
        assert not fleet.counts.sends


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "poll"])
@pytest.mark.parametrize("place", ["data", "metadata"])
async def test_an_answer_with_a_number_json_does_not_know_fails_its_branch_and_no_other(tmp_path, streams, place):
    part = {"data": {"items": [{"id": 2}]}} | {place: {"items": [{"id": 2, "sure": float("nan")}]}}
    odd = Specialist("bob", Behaviour(artifacts=({"artifactId": "odd", "parts": [part]},)), streaming=streams)
    document = one(strategy="items")
    document["stages"]["work"]["barrier"] = {"need": 1}
    async with testing.fleet([saying("ada", "high"), odd]) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("look"))
        assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
        assert [item["item"]["id"] for item in answer.parts[0]["items"]] == [1]
        error = answer.branches["work/bob"]["error"]
        assert error["kind"] == "malformed"
        assert "artifact odd holds NaN or an infinite number" in error["message"]


@pytest.mark.parametrize(("choice", "severity"), [("trust bob", "low"), ("highest_confidence", "high")])
async def test_the_client_settles_contradictions(tmp_path, choice, severity):
    async with (
        testing.fleet(CONTRARY) as fleet,
        coordinating(tmp_path, fleet, one(strategy="items", conflicts="escalate")) as it,
    ):
        task = await it.caller.send(headers=ACTIVE)
        (question,) = questions(task).values()
        assert (question["kind"], question["branch"]) == ("conflict", "work")
        assert "severity: high (ada) or low (bob)" in words(task)
        unclear = await it.caller.send(reply(task, "bob is right"))
        assert "takes one of: majority, highest_confidence, flag, trust ada, trust bob" in words(unclear)
        done = await it.caller.send(reply(unclear, choice))
        assert state(done) == "COMPLETED"
        assert results(done)[0]["items"][0]["item"]["severity"] == severity


async def test_contradictions_nobody_settles_are_flagged(tmp_path):
    document = one(strategy="items", conflicts="escalate") | {"unanswered": {"after": "100ms", "then": "take"}}
    async with testing.fleet(CONTRARY) as fleet, coordinating(tmp_path, fleet, document) as it:
        answer = await it.ask(text("look"), to_the_end=True)
        assert answer.state == "COMPLETED"
        assert answer.parts[0]["items"][0]["conflicts"][0]["by"] == "flag"


async def test_answers_are_told_in_plan_order_as_soon_as_all_before_them_are_there(tmp_path):
    names = ("ada", "bob", "cat", "dan")
    staff = [Specialist(name, told(name, holds=("end",))) for name in names]
    stage = {"fan_out": {"to": {"agents": list(names)}}, "merge": {"strategy": "concat", "progressive": True}}
    document = {"name": "one", "description": "One stage.", "stages": {"work": stage}}
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, document) as it:
        order, seen, released = iter(("bob", "ada", "dan", "cat")), [], 0
        async for event in it.caller.stream(message("hello")):
            if event.HasField("artifact_update"):
                seen.append((texts(event.artifact_update), event.artifact_update.append))
            told_ = metadata_of(event.status_update).get(PROGRESS, {}).get("tally", {}).get("succeeded", -1)
            has_moved = event.HasField("task") or told_ == released
            name = next(order, None) if has_moved else None
            if name is not None:
                await fleet.until(lambda name=name: fleet[name].waiting() == 1)
                fleet[name].release()
                released += 1
        # The last one that is ready is held back, since a chunk has to end the artifact.
        assert [text for texts_, _ in seen for text in texts_] == list(names)
        assert seen[0] == (["ada"], False)
        assert all(append for _, append in seen[1:])


async def test_a_client_that_wants_partials_gets_every_branch_s_result_at_once_and_marked(tmp_path):
    staff = [Specialist("ada", told("one")), Specialist("bob", told("two", holds=("end",)))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, one(strategy="by_agent")) as it:
        seen = []
        async for event in it.caller.stream(message(metadata={URI: {"partials": True}})):
            if event.HasField("artifact_update"):
                seen.append(event.artifact_update.artifact)
                fleet["bob"].release()
        marked = [bool(json_in(artifact.metadata).get(PARTIAL)) for artifact in seen]
        assert marked == [True, True, False]
        assert [artifact.artifact_id for artifact in seen] == ["work/ada/answer", "work/bob/answer", "work/merged"]
