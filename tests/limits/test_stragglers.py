"""A hundred agents of which five never come to an end."""

from coordinator import testing
from coordinator.testing import crowd
from tests.limits.seeing import highest, hold, plan
from tests.policies.rig import coordinating, settled

LAST = [f"agent-{number}" for number in range(95, 100)]


async def test_enough_answers_with_the_95th_and_all_five_stragglers_are_canceled(tmp_path):
    enough = plan(barrier={"release": "enough", "need": 0.95})
    async with testing.fleet(crowd(100)) as fleet:
        async with coordinating(tmp_path, fleet, enough) as coordinator:
            hold(fleet, *LAST)
            answer = await coordinator.ask()
            assert answer.state == "COMPLETED"
            assert answer.record["tally"] == {"total": 100, "succeeded": 95, "failed": 0, "canceled": 5}
            await fleet.until(lambda: not fleet.counts.open)
        assert {name: fleet[name].counts.cancels for name in LAST} == dict.fromkeys(LAST, 1)
        assert (fleet.counts.cancels, fleet.counts.tasks, highest(fleet)) == (5, 100, 1)


async def test_settled_with_a_deadline_answers_in_part_and_says_so(tmp_path):
    seen = []
    bounded = plan(barrier={"release": "settled", "need": 0.95}, limits={"deadline": "3s"})
    async with testing.fleet(crowd(100)) as fleet:
        async with coordinating(tmp_path, fleet, bounded) as coordinator:
            hold(fleet, *LAST)
            answer = await coordinator.ask(watch=seen.append)
            assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
            assert {name: answer.outcomes[f"work/{name}"] for name in LAST} == dict.fromkeys(LAST, "timed_out")
            assert answer.record["tally"] == {"total": 100, "succeeded": 95, "failed": 5, "canceled": 0}
            words = answer.task.status.message.parts[0].text
            assert "95 of 100" in words
            assert "95 of 100" in answer.task.artifacts[0].description
            await fleet.until(lambda: not fleet.counts.open)
        assert fleet.counts.cancels == 5
    assert max(map(settled, seen)) >= 95
