"""Authorisations: asked for after input, resumed by themselves, never with secrets in messages."""

import asyncio

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError

from coordinator import testing
from coordinator.testing import Specialist
from coordinator.testing.life import Beat, Status
from coordinator.wire import struct_out
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
from tests.protocol.clients import states

BOTH = [asking("amy", "tabs?"), asking("ben", "open https://example.test/approve", end="auth_required")]


async def test_input_is_asked_first_and_the_authorisation_afterwards(tmp_path):
    async with testing.fleet(BOTH) as fleet, coordinating(tmp_path, fleet, plan(["amy", "ben"])) as it:
        task = await it.caller.send(headers=ACTIVE)
        assert (state(task), set(by_agent(task))) == ("INPUT_REQUIRED", {"amy"})
        then = await it.caller.send(tagged(task, amy="tabs"), headers=ACTIVE)
        assert (state(then), set(by_agent(then))) == ("AUTH_REQUIRED", {"ben"})
        assert questions(then)["2"]["kind"] == "auth"
        assert questions(then)["2"]["parts"] == [{"text": "open https://example.test/approve"}]
        own = then.status.message.parts[-1]
        assert own.text == "open https://example.test/approve", "the agent's own parts, unchanged"


async def test_a_client_is_told_that_an_authorisation_is_given_elsewhere(tmp_path):
    async with testing.fleet([BOTH[1]]) as fleet, coordinating(tmp_path, fleet, plan(["ben"])) as it:
        words = (await it.caller.send()).status.message.parts[0].text
        assert words.endswith(
            "Authorise it where it says above; the task goes on by itself. Or answer credential:NAME."
        )
        assert "Your text" not in words


async def test_an_authorisation_given_out_of_band_resumes_the_task_by_itself(tmp_path):
    async with testing.fleet([BOTH[1]]) as fleet, coordinating(tmp_path, fleet, plan(["ben"])) as it:
        task = await it.caller.send()
        assert state(task) == "AUTH_REQUIRED"
        (below,) = fleet["ben"].tasks.values()

        async def approve():
            below.take(Beat(Status("completed")))

        async with asyncio.TaskGroup() as group:
            group.create_task(approve())
            task = await it.caller.end_of(task.id)
        assert state(task) == "COMPLETED"
        assert fleet["ben"].counts.sends == 1


async def test_the_stream_of_a_send_stays_open_for_an_authorisation(tmp_path):
    async with testing.fleet([BOTH[1]]) as fleet, coordinating(tmp_path, fleet, plan(["ben"])) as it:
        seen = []
        async for event in it.caller.stream():
            seen.append(event)
            if states(seen)[-1] == "AUTH_REQUIRED":
                (below,) = fleet["ben"].tasks.values()
                below.take(Beat(Status("completed")))
        assert states(seen)[-1] == "COMPLETED"


async def test_an_answer_may_name_a_credential_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("BEN_TOKEN", "s3cret-token")
    async with (
        testing.fleet([BOTH[1]]) as fleet,
        coordinating(tmp_path, fleet, plan(["ben"]), credentials={"finance": "BEN_TOKEN"}) as it,
    ):
        task = await it.caller.send()
        with pytest.raises(InvalidParamsError, match="no such credential is configured; there are: finance"):
            await it.caller.send(reply(task, "credential:payroll"))
        done = await it.caller.send(reply(task, "credential:finance"))
        assert results(done) == ["done by ben"]
        sends = [received for received in fleet["ben"].received if received.operation == "send"]
        assert [received.headers.get("authorization") for received in sends] == [None, "Bearer s3cret-token"]
        assert "s3cret" not in str(done)


async def test_stopping_without_a_database_cancels_what_waits_for_an_answer(tmp_path):
    async with testing.fleet([BOTH[1]]) as fleet:
        async with coordinating(tmp_path, fleet, plan(["ben"])) as it:
            await it.caller.send()
        assert fleet["ben"].counts.cancels == 1


@pytest.mark.parametrize(
    "secret", ["Bearer abcdefghijkl", "1: password: hunter2", "here it is\ntoken: abc", {"access_token": "abc"}]
)
async def test_a_credential_in_a_message_is_refused_and_not_kept(tmp_path, secret):
    async with testing.fleet([BOTH[1]]) as fleet, coordinating(tmp_path, fleet, plan(["ben"])) as it:
        task = await it.caller.send()
        given = a2a.Part(text=secret) if isinstance(secret, str) else a2a.Part()
        if not isinstance(secret, str):
            given.data.struct_value.CopyFrom(struct_out(secret))
        with pytest.raises(InvalidParamsError, match="must not travel in messages"):
            await it.caller.send(parts_reply(task, given))
        assert len((await it.caller.get(task.id)).history) == 1
        assert fleet["ben"].counts.sends == 1


async def test_other_words_on_an_authorisation_go_down_as_they_are(tmp_path):
    staff = [asking("ben", "approve?", end="auth_required")]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, plan(["ben"])) as it:
        task = await it.caller.send(headers=ACTIVE)
        done = await it.caller.send(parts_reply(task, part("approved, ticket 7", by_agent(task)["ben"])))
        assert results(done) == ["done by ben"]
        assert heard(fleet, "ben")[1] == ["approved, ticket 7"]


async def test_an_input_question_that_settles_by_itself_disappears(tmp_path):
    staff = [asking("amy", "tabs?"), Specialist("ben", answering("ben"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, plan(["amy", "ben"])) as it:
        task = await it.caller.send()
        assert "tabs?" in words(task)
        (below,) = fleet["amy"].tasks.values()
        below.take(Beat(Status("failed", "too late")))
        task = await it.caller.end_of(task.id)
        assert state(task) == "FAILED"
