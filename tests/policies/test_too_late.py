"""A cancel that comes too late: what it finds finished is not asked for once more."""

from coordinator import testing
from coordinator.testing import Behaviour, Specialist, answers
from tests.policies.rig import coordinating

PLAN = {
    "name": "patient",
    "description": "Asks again.",
    "stages": {
        "work": {
            "fan_out": {"to": {"agents": ["hidden"]}},
            "on_failure": {"retry": {"attempts": 3, "backoff": "10ms..20ms"}},
            "merge": "concat",
        }
    },
}


async def test_work_that_was_finished_while_its_agent_could_not_be_asked_is_not_done_again(tmp_path):
    away = Behaviour(work_s=0.1, artifacts=(answers.text("done"),), http_error=503, during=("get",), times=5)
    agent = Specialist("hidden", away, streaming=False)
    async with testing.fleet([agent]) as fleet, coordinating(tmp_path, fleet, PLAN) as coordinator:
        answer = await coordinator.ask()
        assert (answer.state, answer.parts) == ("COMPLETED", ["done"])
        assert answer.branches["work/hidden"]["attempts"] == 1
        counts = fleet["hidden"].counts
        assert (counts.tasks, counts.sends, counts.cancels) == (1, 1, 1)
