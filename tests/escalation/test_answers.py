"""Answers: whole and half, right and wrong, late and twice, by people and by machines."""

import asyncio
import base64

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError

from coordinator import testing
from coordinator.core.extension import ANSWER, QUESTIONS
from coordinator.testing import Behaviour, Specialist
from coordinator.wire import json_in, struct_out
from tests.escalation.rig import (
    ACTIVE,
    answering,
    asking,
    by_agent,
    heard,
    part,
    parts_reply,
    plan,
    questions,
    reply,
    results,
    state,
    tagged,
    words,
)
from tests.policies.rig import coordinating
from tests.protocol.clients import all_of, kinds, message, states

PAIR = [asking("amy", "tabs or spaces?"), asking("ben", "how wide?")]
PLAN = plan(["amy", "ben"])
FAILING = Specialist("hal", (Behaviour(end="failed", end_text="out of ideas"), answering("hal")))
ESCALATE = {"on_failure": {"exhausted": "escalate"}, "merge": {"strategy": "concat"}}


async def test_the_text_of_one_open_question_is_its_answer(tmp_path):
    async with testing.fleet([asking("amy", "which?")]) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        task = await it.caller.send()
        assert "amy (work/amy) asks: which?" in words(task)
        assert results(await it.caller.send(reply(task, "the red one"))) == ["done by amy"]
        assert heard(fleet, "amy")[1] == ["the red one"]


async def test_half_an_answer_resumes_that_branch_and_keeps_asking_the_rest(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        half = await it.caller.send(tagged(task, ben="80"), headers=ACTIVE)
        assert state(half) == "INPUT_REQUIRED"
        assert set(by_agent(half)) == {"amy"}
        assert by_agent(half)["amy"] == by_agent(task)["amy"]
        await fleet.until(lambda: fleet["ben"].counts.sends == 2)
        done = await it.caller.send(reply(half, "tabs"))
        assert results(done) == ["done by amy", "done by ben"]
        assert (heard(fleet, "amy")[1], heard(fleet, "ben")[1]) == (["tabs"], ["80"])


async def test_bare_text_for_several_questions_is_asked_again_and_reaches_nobody(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send()
        again = await it.caller.send(reply(task, "tabs"))
        assert state(again) == "INPUT_REQUIRED"
        assert "Several questions are open" in words(again)
        assert [fleet[name].counts.sends for name in ("amy", "ben")] == [1, 1]


async def test_a_list_is_the_whole_answer_to_the_one_open_question(tmp_path):
    said = "1. do this\n   and this\n2. do that"
    async with testing.fleet([asking("amy", "which?")]) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        task = await it.caller.send()
        assert results(await it.caller.send(reply(task, said))) == ["done by amy"]
        assert heard(fleet, "amy")[1] == [said]


async def test_a_number_of_a_closed_question_is_never_part_of_the_answer_to_another(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        first, second = sorted(by_agent(task), key=by_agent(task).__getitem__)
        await it.caller.send(reply(task, "1: this"))
        with pytest.raises(InvalidParamsError, match="Question 1 is closed: answered"):
            await it.caller.send(reply(task, "1. do this"))
        again = await it.caller.send(reply(task, "1. do this\n2. do that\n3. and that"))
        assert "write the answer to 2 without numbered lines" in words(again)
        assert (heard(fleet, first)[1:], heard(fleet, second)[1:]) == ([["this"]], [])


async def test_where_a_part_is_tagged_the_numbers_in_a_text_are_those_of_questions(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        await it.caller.send(tagged(task, ben="80"), headers=ACTIVE)
        mixed = parts_reply(task, part("tabs", by_agent(task)["amy"]), a2a.Part(text="7. more"))
        assert results(await it.caller.send(mixed)) == ["done by amy", "done by ben"]
        assert heard(fleet, "amy")[1] == ["tabs"]


async def test_an_answer_to_a_closed_question_is_refused_by_its_number(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        await it.caller.send(tagged(task, ben="80"), headers=ACTIVE)
        with pytest.raises(InvalidParamsError, match=f"Question {by_agent(task)['ben']} is closed: answered"):
            await it.caller.send(tagged(task, ben="100"))
        with pytest.raises(InvalidParamsError, match="There is no question 99"):
            await it.caller.send(parts_reply(task, part("what?", "99")))
        assert heard(fleet, "ben") == [["hello"], ["80"]]


async def test_two_clients_answer_at_once_and_the_other_is_told(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        rivals = [it.caller.send(tagged(task, amy=text), return_immediately=True) for text in ("tabs", "spaces")]
        outcomes = await asyncio.gather(*rivals, return_exceptions=True)  # noqa: TID251  # both outcomes are wanted
        refused = [outcome for outcome in outcomes if isinstance(outcome, InvalidParamsError)]
        assert len(refused) == 1
        assert "is closed: answered" in str(refused[0])
        await fleet.until(lambda: fleet["amy"].counts.sends == 2)
        assert len(heard(fleet, "amy")) == 2


async def test_files_and_data_go_down_unchanged_and_without_our_tag(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        ids = by_agent(task)
        tag = struct_out({ANSWER: ids["amy"]})
        file = a2a.Part(raw=b"\x00\x01", filename="rules.bin", media_type="application/octet-stream", metadata=tag)
        data = a2a.Part(media_type="application/json", metadata=tag)
        data.data.struct_value.update({"width": 80})
        await it.caller.send(parts_reply(task, file, data, part("80", ids["ben"])))
        messages = [r.params["message"] for r in fleet["amy"].received if r.operation == "send"]
        (sent,) = [one["parts"] for one in messages if one.get("taskId")]
        assert base64.b64decode(sent[0]["raw"]) == b"\x00\x01"
        assert (sent[0]["filename"], sent[1]["data"]) == ("rules.bin", {"width": 80})
        assert all(ANSWER not in one.get("metadata", {}) for one in sent)


async def test_a_wrong_choice_asks_again_and_says_what_there_is(tmp_path):
    async with testing.fleet([FAILING]) as fleet, coordinating(tmp_path, fleet, plan(["hal"], stage=ESCALATE)) as it:
        task = await it.caller.send()
        assert "hal (work/hal) has failed: failed: its task failed: out of ideas" in words(task)
        again = await it.caller.send(reply(task, "do something"))
        assert state(again) == "INPUT_REQUIRED"
        assert "takes one of: retry, skip, take, abort" in words(again)
        assert results(await it.caller.send(reply(again, "Retry"))) == ["done by hal"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_whoever_cannot_be_understood_is_told_so_also_when_the_send_returns_at_once(at_once, tmp_path):
    async with testing.fleet([FAILING]) as fleet, coordinating(tmp_path, fleet, plan(["hal"], stage=ESCALATE)) as it:
        task = await it.caller.send(headers=ACTIVE)
        again = await it.caller.send(reply(task, "do it"), headers=ACTIVE, return_immediately=at_once)
        (document,) = [json_in(one.data) for one in again.status.message.parts if QUESTIONS in one.metadata]
        assert document["problems"] == ["Question 1 takes one of: retry, skip, take, abort."]
        assert (state(again), list(questions(again))) == ("INPUT_REQUIRED", ["1"])


@pytest.mark.parametrize(
    ("choice", "end", "brought"),
    [
        ("skip", "COMPLETED", ["done by amy"]),
        ("take", "COMPLETED", ["done by amy"]),
        ("abort", "FAILED", ["done by amy"]),
        ("agent:ben", "COMPLETED", ["done by amy", "done by ben"]),
    ],
)
async def test_what_a_client_may_decide_about_a_failed_branch(choice, end, brought, tmp_path):
    staff = [Specialist("amy", answering("amy")), FAILING, Specialist("ben", answering("ben"))]
    document = plan(["amy", "hal"], stage=ESCALATE | {"barrier": {"need": 1}})
    document["stages"]["work"]["fan_out"]["to"] = {"agents": ["amy", "hal", "ben"], "most": 2}
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, document) as it:
        task = await it.caller.send(headers=ACTIVE)
        ids = {choice["id"] for question in questions(task).values() for choice in question["choices"]}
        assert {"retry", "skip", "take", "abort"} <= ids
        done = await it.caller.send(reply(task, choice))
        assert state(done) == end
        assert results(done) == brought


async def test_what_nobody_answers_goes_its_default_way(tmp_path):
    document = plan(["amy", "ben"], stage={"barrier": {"need": 1}}, unanswered={"after": "300ms", "then": "skip"})
    staff = [asking("amy"), Specialist("ben", answering("ben"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, document) as it:
        task = await it.caller.send()
        assert "skip" in words(task)
        task = await it.caller.end_of(task.id)
        assert state(task) == "COMPLETED"
        assert results(await it.caller.get(task.id)) == ["done by ben"]
        await fleet.until(lambda: fleet["amy"].counts.cancels == 1)


async def test_a_send_stream_ends_with_the_question_and_a_subscription_stays(tmp_path):
    async with testing.fleet([asking("amy")]) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        events = await all_of(it.caller.stream())
        assert kinds(events)[0] == "task"
        assert states(events)[-1] == "INPUT_REQUIRED"
        task = events[0].task
        seen = []
        async for event in it.caller.subscribe(task.id):
            seen.append(event)
            if len(seen) == 1:
                assert "what does amy need?" in words(event.task)
                await it.caller.send(reply(task, "nothing"), return_immediately=True)
        assert states(seen)[0] == "INPUT_REQUIRED"
        assert states(seen)[-1] == "COMPLETED"


async def test_the_stream_of_an_answer_begins_with_the_task_and_not_with_the_old_question(tmp_path):
    async with testing.fleet([asking("amy")]) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        task = await it.caller.send()
        events = await all_of(it.caller.stream(reply(task, "nothing")))
        assert kinds(events)[0] == "task"
        assert "INPUT_REQUIRED" not in states(events)
        assert fleet["amy"].counts.sends == 2


async def test_an_agent_that_asks_again_gets_another_number(tmp_path):
    again = Behaviour(end="input_required", end_text="and how wide?", artifacts=())
    staff = [asking("amy", "tabs?", again, answering("amy"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        first = await it.caller.send(headers=ACTIVE)
        second = await it.caller.send(reply(first, "tabs"), headers=ACTIVE)
        assert (list(questions(first)), list(questions(second))) == (["1"], ["2"])
        assert questions(second)["2"]["text"] == "and how wide?"
        assert results(await it.caller.send(reply(second, "80"))) == ["done by amy"]


async def test_canceling_a_task_that_waits_cancels_what_waits_below(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send()
        assert state(await it.caller.cancel(task.id)) == "CANCELED"
        await fleet.until(lambda: all(fleet[name].counts.cancels == 1 for name in ("amy", "ben")))
        with pytest.raises(UnsupportedOperationError):
            await it.caller.send(reply(task, "1: tabs"))


async def test_an_answer_that_is_repeated_is_taken_once(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(headers=ACTIVE)
        answer = tagged(task, amy="tabs")
        key = {"Idempotency-Key": "k-1"}
        once = await it.caller.send(answer, headers=key, return_immediately=True)
        twice = await it.caller.send(answer, headers=key, return_immediately=True)
        assert once.id == twice.id
        await fleet.until(lambda: fleet["amy"].counts.sends == 2)
        assert len(heard(fleet, "amy")) == 2


async def test_an_answer_waits_for_an_agent_that_is_overloaded_and_is_asked_again_when_that_lasts(tmp_path):
    overloaded = Behaviour(http_error=503)
    staff = [asking("amy", "tabs?", overloaded, overloaded, overloaded, answering("amy"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, plan(["amy"])) as it:
        task = await it.caller.send(headers=ACTIVE)
        again = await it.caller.send(reply(task, "tabs"), headers=ACTIVE)
        assert state(again) == "INPUT_REQUIRED"
        assert "did not reach it" in words(again)
        assert results(await it.caller.send(reply(again, "tabs"))) == ["done by amy"]


async def test_a_new_message_of_the_first_kind_is_no_answer(tmp_path):
    async with testing.fleet(PAIR) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send()
        other = await it.caller.send(message("hello"))
        assert other.id != task.id
