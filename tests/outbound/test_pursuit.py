"""One attempt to its end, whatever the specialist does on the way; both as a stream and by polling."""

import asyncio

import pytest

from coordinator.core.events import Asked, AttemptFailed
from coordinator.core.model import FailureKind
from coordinator.outbound import Attempt
from coordinator.testing import Behaviour, answers
from tests.outbound.pursuing import rig

FINE = (answers.text("fine"),)
WAYS = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])


@WAYS
async def test_a_task_is_followed_to_its_result(streaming):
    async with rig(Behaviour(steps=("reading", "writing"), artifacts=FINE), streaming=streaming) as it:
        ends = await it.sent()
        assert ends.texts == ["fine"]
        assert len(ends.opened) == 1
        assert it.agent.counts.sends == 1
        assert (it.agent.counts.gets > 0) is not streaming


@WAYS
async def test_a_direct_message_is_a_result_without_a_task(streaming):
    async with rig(Behaviour(message="hello yourself"), streaming=streaming) as it:
        ends = await it.sent()
        assert (ends.texts, ends.opened) == (["hello yourself"], [])


async def test_a_specialist_s_words_become_progress():
    async with rig(Behaviour(steps=("reading", "writing"), artifacts=FINE)) as it:
        assert [word for word in (await it.sent()).words if word] == ["reading", "writing"]


@pytest.mark.parametrize("cut_by", ["end", "break"])
async def test_a_stream_that_breaks_is_attached_again_and_nothing_comes_twice(cut_by):
    parts = answers.text("one", "two", "three")
    script = Behaviour(
        steps=("a", "b"), artifacts=(parts,), chunk=1, cut_after=2, cut_by=cut_by, double_on_reattach=True
    )
    async with rig(script) as it:
        ends = await it.sent()
        assert ends.texts == ["one", "two", "three"]
        assert it.agent.counts.sends == 1
        assert it.agent.counts.gets > 0


async def test_a_stream_that_leaves_the_result_out_is_followed_by_a_look_at_the_task():
    async with rig(Behaviour(steps=("a",), artifacts=FINE, streams_artifacts=False)) as it:
        assert (await it.sent()).texts == ["fine"]
        assert (it.agent.counts.sends, it.agent.counts.gets) == (1, 1)


async def test_words_at_the_end_of_a_stream_are_result_enough():
    async with rig(Behaviour(end_text="all fine", artifacts=())) as it:
        assert (await it.sent()).texts == ["all fine"]
        assert it.agent.counts.gets == 0


async def test_a_stream_that_falls_silent_is_asked_whether_the_task_still_lives():
    async with rig(Behaviour(steps=("a", "b"), artifacts=FINE, stall_after=2)) as it:
        assert (await it.sent()).texts == ["fine"]
        assert it.agent.counts.sends == 1


async def test_an_agent_whose_card_promises_streams_it_does_not_have_gets_the_same_message_and_is_polled():
    async with rig(Behaviour(streams=False, artifacts=FINE)) as it:
        assert (await it.sent()).texts == ["fine"]
        assert it.agent.counts.by_message == {"m-1": 2}
        assert it.agent.counts.tasks == 1
        await it.sent()
        assert it.agent.counts.by_message == {"m-1": 3}, "it was not remembered"


@WAYS
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("failed", FailureKind.FAILED),
        ("rejected", FailureKind.REJECTED),
        ("canceled", FailureKind.CANCELED),
    ],
)
async def test_every_other_end_is_a_failure_in_the_specialists_words(streaming, end, kind):
    async with rig(Behaviour(end=end, end_text="because"), streaming=streaming) as it:
        ends = await it.sent()
        assert ends.failure.kind is kind
        assert "because" in ends.failure.message
        assert ends.of(AttemptFailed)[0].is_open is False


@WAYS
@pytest.mark.parametrize(("end", "kind"), [("input_required", "input"), ("auth_required", "auth")])
async def test_a_specialist_that_waits_for_its_client_is_parked_with_its_own_words(streaming, end, kind):
    async with rig(Behaviour(end=end, end_text="which branch?"), streaming=streaming) as it:
        (asked,) = (await it.sent()).of(Asked)
        assert [(inquiry.kind, inquiry.text) for inquiry in asked.inquiries] == [(kind, "which branch?")]


@WAYS
async def test_a_request_that_took_effect_though_its_answer_was_lost_is_found_and_not_repeated(streaming):
    async with rig(Behaviour(reset="after", times=1, artifacts=FINE), streaming=streaming) as it:
        assert (await it.sent()).texts == ["fine"]
        assert it.agent.counts.sends == 1
        assert it.agent.counts.tasks == 1
        assert it.agent.counts.lists > 0


@WAYS
async def test_a_request_that_did_not_take_effect_is_repeated_under_the_same_id_after_looking_it_up(streaming):
    lost, kept = Behaviour(reset="before"), Behaviour(artifacts=FINE)
    async with rig([lost, kept], streaming=streaming) as it:
        assert (await it.sent()).texts == ["fine"]
        assert set(it.agent.counts.by_message) == {"m-1"}
        assert it.agent.counts.tasks == 1
        first_list = next(r.number for r in it.agent.received if r.operation == "list")
        sends = [r.number for r in it.agent.received if r.operation == "send"]
        assert sends[0] < first_list < sends[1]


async def test_a_message_that_never_gets_through_is_given_up_in_doubt_and_left_to_be_canceled():
    async with rig(Behaviour(reset="before")) as it:
        ends = await it.sent()
        assert ends.failure.kind is FailureKind.IN_DOUBT
        assert ends.of(AttemptFailed)[0].is_open
        assert it.agent.counts.sends == 3


async def test_after_a_restart_a_send_is_looked_up_before_it_is_made():
    async with rig(Behaviour(artifacts=FINE)) as it:
        await it.sent()
        again = await it.sent(in_doubt=True)
        assert again.texts == ["fine"]
        assert it.agent.counts.sends == 1


@pytest.mark.parametrize("missing", [{"lists": False}, {"keeps_history": False}], ids=["no ListTasks", "no history"])
async def test_an_agent_that_cannot_be_asked_gets_the_same_message_again(missing):
    async with rig(Behaviour(artifacts=FINE, dedupes=True, **missing)) as it:
        await it.sent()
        assert (await it.sent(in_doubt=True)).texts == ["fine"]
        assert it.agent.counts.by_message == {"m-1": 2}
        assert {r.headers["idempotency-key"] for r in it.agent.received if r.operation == "send"} == {"m-1"}


async def test_a_task_without_a_timestamp_on_a_later_page_is_found_as_well():
    async with rig(Behaviour(artifacts=FINE, stamps=False, page=1)) as it:
        it.agent.hold("start")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(it.sent())
            await it.fleet.until(lambda: it.agent.counts.tasks == 1)
            second = group.create_task(it.sent(in_doubt=True))
            await it.fleet.until(lambda: it.agent.counts.lists > 0)
            it.agent.release("start")
        assert first.result().texts == second.result().texts == ["fine"]
        assert it.agent.counts.sends == 1


@WAYS
async def test_a_task_known_before_a_restart_is_followed_without_a_send(streaming):
    async with rig(Behaviour(artifacts=FINE), streaming=streaming) as it:
        task_id = (await it.sent()).opened[0].task_id
        assert (await it.followed(task_id)).texts == ["fine"]
        assert it.agent.counts.sends == 1


@WAYS
async def test_a_task_the_specialist_has_forgotten_is_lost(streaming):
    async with rig(Behaviour(artifacts=FINE), streaming=streaming) as it:
        assert (await it.followed("no-such-task")).failure.kind is FailureKind.LOST


@WAYS
@pytest.mark.parametrize(
    "lie", [{"garbage": "html"}, {"garbage": "broken_json"}, {"wrong_ids": True, "steps": ("a",)}], ids=str
)
async def test_a_lie_ends_the_attempt_by_name_and_never_by_an_exception(streaming, lie):
    script = Behaviour(artifacts=FINE, during=("send", "get", "subscribe"), **lie)
    async with rig(script, streaming=streaming) as it:
        assert (await it.sent()).failure.kind in {FailureKind.MALFORMED, FailureKind.LOST}


async def test_an_answer_larger_than_allowed_is_a_failure_and_the_task_is_left_to_be_canceled():
    async with rig(Behaviour(oversized=80 * 1024 * 1024)) as it:
        ends = await it.sent()
        assert ends.failure.kind is FailureKind.TOO_LARGE
        assert ends.of(AttemptFailed)[0].is_open


@WAYS
async def test_an_answer_that_is_no_json_is_a_failure_however_it_is_come_by(streaming):
    odd = answers.data({"sure": float("inf")}, name="odd")
    async with rig(Behaviour(artifacts=(odd,)), streaming=streaming) as it:
        ends = await it.sent()
        (remote,) = ends.opened
        for way in (ends, await it.followed(remote.task_id), await it.looked(remote)):
            assert way.failure.kind is FailureKind.MALFORMED
            assert "odd holds NaN or an infinite number" in way.failure.message


async def test_an_overloaded_specialist_says_when_to_come_back():
    async with rig(Behaviour(http_error=503, retry_after=7)) as it:
        failure = (await it.sent()).failure
        assert (failure.kind, failure.retry_after_s) == (FailureKind.OVERLOADED, 7)


# -- canceling -------------------------------------------------------------------------------------


async def opened_and_left(it):
    """Send, stop listening as soon as the specialist has a task, and return that task."""
    attempt = Attempt()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(it.sent(attempt=attempt))
        await attempt.opened.wait()
        sending.cancel()
    assert attempt.was_sent
    return attempt.remote


async def test_a_cancel_finds_the_task_of_a_message_whose_id_nobody_told():
    async with rig(Behaviour(never_ends=True)) as it:
        await opened_and_left(it)
        assert await it.canceled() == ("confirmed", "")
        assert it.agent.counts.open == 0


async def test_a_cancel_of_what_has_ended_is_told_apart():
    async with rig(Behaviour(artifacts=FINE)) as it:
        (remote,) = (await it.sent()).opened
        assert (await it.canceled(remote))[0] == "finished"


@pytest.mark.parametrize(("answer", "result"), [("refused", "refused"), ("ignored", "refused"), ("works", "confirmed")])
async def test_what_a_specialist_makes_of_a_cancel_is_written_down(answer, result):
    async with rig(Behaviour(never_ends=True, cancel=answer)) as it:
        remote = await opened_and_left(it)
        assert (await it.canceled(remote))[0] == result


async def test_a_cancel_of_a_message_nobody_has_got_finds_nothing():
    async with rig(Behaviour()) as it:
        assert (await it.canceled())[0] == "not_found"


async def test_a_cancel_nobody_answers_ends_within_its_patience():
    async with rig(Behaviour(hang="before", during=("list",))) as it:
        assert (await it.canceled())[0] == "unreachable"
