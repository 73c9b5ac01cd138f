"""What the configuration says about waiting and about sizes makes a difference to a whole coordinator."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.config import AgentEntry, TokenEntry
from coordinator.core.extension import RUN
from coordinator.outbound import Patience
from coordinator.testing import Behaviour, Specialist, answers
from tests.leaks import nothing_left, until
from tests.planning.making import Document
from tests.policies.rig import Answer, coordinating
from tests.protocol.clients import bare_http, message, metadata_of
from tests.protocol.conftest import one_certificate

__all__ = ["one_certificate"]

LOOKS_NEVER = Patience(poll_min_s=3600.0, poll_max_s=3600.0, push_check_s=3600.0, progress_s=0.0)
"""Whoever gets a result with it heard of it: the next look of its own would come in an hour."""

PLAN: Document = {
    "name": "ask",
    "description": "Asks everybody.",
    "stages": {"ask": {"fan_out": {"to": {"skill": "work"}}, "barrier": {"need": 0}, "merge": "concat"}},
}


@pytest.fixture(autouse=True)
def _quick_tls(one_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(one_certificate))


def large(**more: Any) -> Behaviour:
    return Behaviour(artifacts=(answers.text("x" * 50_000),), **more)


async def answer_with(tmp_path: Path, staff: list[Specialist], **settings: Any) -> Answer:
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, PLAN, **settings) as coordinator:
        return await coordinator.ask()


def journaled(db: str, kind: str) -> int:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        return int(connection.execute("select count(*) from journal where type = ?", (kind,)).fetchone()[0])


def failures(answer: Answer) -> list[str]:
    return [branch["error"]["message"] for branch in answer.branches.values() if "error" in branch]


@pytest.mark.parametrize(
    ("setting", "enough", "too_little"),
    [("max_answer", 60_000, 40_000), ("max_artifact", 60_000, 40_000), ("max_results", 120_000, 90_000)],
)
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])
async def test_a_size_in_the_configuration_decides_what_is_too_large(tmp_path, setting, enough, too_little, streaming):
    staff = [Specialist(name, large(), streaming=streaming) for name in ("ada", "bob")]
    assert failures(await answer_with(tmp_path, staff, **{setting: enough})) == []
    told = failures(await answer_with(tmp_path, staff, **{setting: too_little}))
    assert len(told) == (1 if setting == "max_results" else 2)
    assert all(setting in words for words in told)


async def test_an_answer_is_bounded_as_a_whole_not_only_in_its_artifacts(tmp_path):
    staff = [Specialist("ada", Behaviour(gush=80_000))]
    assert failures(await answer_with(tmp_path, staff, max_answer=100_000)) == []
    (told,) = failures(await answer_with(tmp_path, staff, max_answer=60_000))
    assert "max_answer" in told


async def test_results_of_before_a_restart_count_against_the_size_of_a_task(tmp_path):
    staff = [Specialist("ada", large()), Specialist("bob", large(holds=("end",)))]
    db = str(tmp_path / "journal.db")
    async with testing.fleet(staff) as fleet:
        known = {"db": db, "max_results": 90_000}
        async with coordinating(tmp_path, fleet, PLAN, **known) as coordinator:
            task = await coordinator.caller.send(message(), return_immediately=True)
            await fleet.until(lambda: fleet["bob"].waiting("end") and not fleet["ada"].counts.open)
            await until(lambda: journaled(db, "AttemptSucceeded") == 1, lambda: "it is not half done")
        async with coordinating(tmp_path, fleet, PLAN, **known) as coordinator:
            fleet["bob"].release()

            async def is_over() -> bool:
                return (await coordinator.caller.get(task.id)).status.state == a2a.TASK_STATE_COMPLETED

            await until(is_over, lambda: "it is not over")
            (told,) = failures(Answer(await coordinator.caller.get(task.id)))
            assert "max_results" in told


@pytest.mark.parametrize("auth", [False, True], ids=["open", "with tokens"])
@pytest.mark.parametrize("by", ["the card", "the configuration"])
async def test_an_agent_that_pushes_is_waited_for_by_push(tmp_path, by, auth, monkeypatch):
    monkeypatch.setenv("ALICE", "secret")
    script = Behaviour(steps=("reading",), work_s=0.05, artifacts=(answers.text("fine"),))
    specialist = Specialist("ada", script, streaming=by == "the configuration", pushing=True)
    more: dict[str, Any] = {"auth": "tokens", "tokens": (TokenEntry(name="alice", token_env="ALICE"),)} if auth else {}
    headers = {"Authorization": "Bearer secret"} if auth else None
    async with nothing_left(), testing.fleet([specialist]) as fleet:
        if by == "the card":
            more["webhook"] = "on"
        else:
            cards = fleet.write_cards(tmp_path / "cards")
            more["agents"] = (AgentEntry(card=str(cards), wait="push"),)
        running = coordinating(tmp_path, fleet, PLAN, patience=LOOKS_NEVER, headers=headers, **more)
        async with running as coordinator:
            assert (await coordinator.ask()).parts == ["fine"]
        assert fleet.counts.pushes >= 1
        assert fleet.counts.subscribes == fleet.counts.streams == 0


WAYS = {"stream": {"streaming": True}, "push": {"streaming": False, "pushing": True}, "poll": {"streaming": False}}


@pytest.mark.parametrize("way", WAYS)
async def test_a_question_is_asked_and_its_answer_followed_to_the_end_in_every_way(tmp_path, way):
    asking = [Behaviour(end="input_required", end_text="which one?"), Behaviour(artifacts=(answers.text("fine"),))]
    specialist = Specialist("ada", asking, **WAYS[way])
    patience = Patience(poll_min_s=0.01, poll_max_s=0.05, progress_s=0.0)
    async with nothing_left(), testing.fleet([specialist]) as fleet:
        async with coordinating(tmp_path, fleet, PLAN, patience=patience, webhook="on") as coordinator:
            asked = await coordinator.ask()
            assert asked.state == "INPUT_REQUIRED"
            await coordinator.caller.send(message("the first", task_id=asked.task.id))

            async def is_over() -> bool:
                return (await coordinator.caller.get(asked.task.id)).status.state == a2a.TASK_STATE_COMPLETED

            await until(is_over, lambda: fleet.counts)
            assert Answer(await coordinator.caller.get(asked.task.id)).parts == ["fine"]
        assert (fleet["ada"].counts.sends, fleet["ada"].counts.tasks) == (2, 1)


async def test_without_a_webhook_nobody_is_asked_to_push(tmp_path):
    async with testing.fleet([Specialist("ada", streaming=False, pushing=True)]) as fleet:
        async with coordinating(tmp_path, fleet, PLAN) as coordinator:
            assert (await coordinator.ask()).state == "COMPLETED"
        (send,) = [received for received in fleet["ada"].received if received.operation == "send"]
        assert "taskPushNotificationConfig" not in send.params["configuration"]


async def test_an_agent_that_streams_can_be_polled_because_the_configuration_says_so(tmp_path):
    async with testing.fleet([Specialist("ada")]) as fleet:
        entry = AgentEntry(card=str(fleet.write_cards(tmp_path / "cards")), wait="poll")
        async with coordinating(tmp_path, fleet, PLAN, agents=(entry,)) as coordinator:
            assert (await coordinator.ask()).state == "COMPLETED"
        assert {received.method for received in fleet["ada"].received} == {"SendMessage", "GetTask"}


async def test_a_stream_silent_for_less_than_the_patience_is_left_alone_and_longer_only_looked_after(tmp_path):
    quiet = Behaviour(steps=("a", "b"), silence_s=0.6)
    for silence_s, is_looked_after in ((5.0, False), (0.15, True)):
        async with testing.fleet([Specialist("ada", quiet)]) as fleet:
            patience = Patience(silence_s=silence_s, poll_min_s=0.01, progress_s=0.0)
            async with coordinating(tmp_path, fleet, PLAN, patience=patience) as coordinator:
                assert (await coordinator.ask()).outcomes == {"ask/ada": "succeeded"}
            counts = fleet["ada"].counts
            assert (counts.sends, counts.cancels, counts.subscribes > 0) == (1, 0, is_looked_after)


async def test_a_send_that_was_not_answered_yet_is_looked_up_and_canceled_behind_the_client_s_answer(tmp_path):
    short = replace(LOOKS_NEVER, cancel_s=0.3, doubt_s=0.01)
    mute = Specialist("ada", Behaviour(never_ends=True, hang="after"))
    async with (
        nothing_left(),
        testing.fleet([mute]) as fleet,
        coordinating(tmp_path, fleet, PLAN, patience=short) as coordinator,
        bare_http() as http,
    ):
        task = await coordinator.caller.send(message(), return_immediately=True)
        await fleet.until(lambda: fleet["ada"].counts.tasks)
        answer = await coordinator.caller.cancel(task.id)
        assert answer.status.state == a2a.TASK_STATE_CANCELED
        assert fleet["ada"].counts.open == 1, "the client waited for the specialist"
        (branch,) = metadata_of(answer)[RUN]["branches"]
        assert (branch["cancel"], "taskId" in branch) == ("requested", False)
        await fleet.until(lambda: not fleet["ada"].counts.open)

        async def is_confirmed() -> bool:
            told = (await http.get(f"{coordinator.url}/tasks/{task.id}/cancels")).json()["cancels"]
            return [cancel["result"] for cancel in told] == ["confirmed"]

        await until(is_confirmed, lambda: fleet.counts)
