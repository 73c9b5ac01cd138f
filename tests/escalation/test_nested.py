"""Coordinators behind coordinators: questions come up through all of them, and answers find their way down."""

from contextlib import AsyncExitStack, asynccontextmanager

from coordinator import testing
from coordinator.testing import Behaviour, Specialist
from tests.escalation.rig import (
    ACTIVE,
    answering,
    asking,
    by_agent,
    heard,
    numbers,
    part,
    parts_reply,
    plan,
    questions,
    reply,
    results,
    state,
    words,
)
from tests.policies.rig import coordinating

BROKEN = Specialist("hal", (Behaviour(end="failed", end_text="out of ideas"), answering("hal")))
STAFF = [asking("amy", "tabs?"), asking("ben", "how wide?"), BROKEN, asking("cat", "which?"), asking("dan", "when?")]
ESCALATE = {"on_failure": {"exhausted": "escalate"}, "merge": {"strategy": "concat"}}


@asynccontextmanager
async def three_deep(tmp_path, fleet):
    """Serve a coordinator behind one behind one; each has agents of its own that ask."""
    cards = str(fleet.write_cards(tmp_path / "cards"))
    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(
            coordinating(tmp_path, fleet, plan(["amy", "ben", "hal"], stage=ESCALATE), agents=(cards,))
        )
        behind = {"card": inner.url, "name": "inner"}
        middle = await stack.enter_async_context(
            coordinating(tmp_path, fleet, plan(["cat", "inner"]), agents=(cards, behind))
        )
        behind = {"card": middle.url, "name": "middle"}
        yield await stack.enter_async_context(
            coordinating(tmp_path, fleet, plan(["dan", "middle"]), agents=(cards, behind))
        )


async def test_questions_from_three_coordinators_deep_are_told_apart_and_answered_each_at_its_agent(tmp_path):
    async with testing.fleet(STAFF) as fleet, three_deep(tmp_path, fleet) as it:
        task = await it.caller.send(headers=ACTIVE)
        asked = questions(task)
        assert {question["text"].rpartition(": ")[2] for question in asked.values()} >= {"tabs?", "how wide?", "which?"}
        assert len(asked) == 5
        mine = []
        for number, question in asked.items():
            owner = (
                next(name for name in ("amy", "ben", "cat", "dan", "hal") if name in question["text"])
                if (question["agent"] == "middle")
                else "dan"
            )
            mine.append(part("retry" if owner == "hal" else f"for {owner}", number))
        done = await it.caller.send(parts_reply(task, *mine), headers=ACTIVE)
        assert state(done) == "COMPLETED", words(done)
        assert sorted(results(done)) == sorted(f"done by {name}" for name in ("amy", "ben", "cat", "dan", "hal"))
        assert [heard(fleet, name)[1] for name in ("amy", "ben", "cat", "dan")] == [
            [f"for {name}"] for name in ("amy", "ben", "cat", "dan")
        ]


async def test_half_answers_find_their_way_down_and_the_rest_keeps_its_numbers(tmp_path):
    async with testing.fleet(STAFF) as fleet, three_deep(tmp_path, fleet) as it:
        task = await it.caller.send(headers=ACTIVE)
        assert numbers(task) == [1, 2, 3, 4, 5]
        kept = {id_: question["text"] for id_, question in questions(task).items()}
        while state(task) == "INPUT_REQUIRED":
            number, question = next(iter(questions(task).items()))
            assert question["text"] == kept[number]
            text = "retry" if question["kind"] == "failure" else f"answer to {number}"
            task = await it.caller.send(reply(task, f"{number}: {text}"), headers=ACTIVE)
        assert state(task) == "COMPLETED", words(task)
        assert len(results(task)) == 5
        assert all(fleet[name].counts.sends == 2 for name in ("amy", "ben", "cat", "dan", "hal"))


async def test_the_failure_of_a_branch_far_below_can_be_decided_above(tmp_path):
    async with testing.fleet([BROKEN]) as fleet:
        cards = str(fleet.write_cards(tmp_path / "cards"))
        async with coordinating(tmp_path, fleet, plan(["hal"], stage=ESCALATE), agents=(cards,)) as inner:
            behind = {"card": inner.url, "name": "inner"}
            async with coordinating(tmp_path, fleet, plan(["inner"]), agents=(behind,)) as it:
                task = await it.caller.send(headers=ACTIVE)
                (question,) = questions(task).values()
                assert question["kind"] == "failure"
                assert {choice["id"] for choice in question["choices"]} == {"retry", "skip", "take", "abort"}
                assert by_agent(task) == {"inner": "1"}
                assert results(await it.caller.send(reply(task, "retry"))) == ["done by hal"]
