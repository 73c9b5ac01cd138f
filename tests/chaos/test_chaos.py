"""A short chaos: some rounds of `python -m tests.chaos`, one for each way a death can hurt."""

import random

import pytest

from tests.chaos.__main__ import main, rigged
from tests.chaos.points import MOMENTS, POINTS, Fault, Trap, fault_from
from tests.chaos.rounds import PREPARED, Tally, planned, round_of, undisturbed
from tests.chaos.work import PLANS

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

ROUNDS = (
    [Fault("accept/after", 3), Fault("append:TurnStarted/before", 5)],
    [Fault("send/after", 6), Fault("list/before")],
    [Fault("append:TaskOpened/before", 4), Fault("get/after"), None],
    [Fault("append:AttemptSucceeded/after", 5), Fault("append:Merged/before", 2)],
    [Fault("cancel/before", 2), Fault("append:CancelSettled/before", 2)],
)


async def test_nothing_is_lost_doubled_changed_or_left_open_wherever_the_process_dies(tmp_path):
    rng, tally = random.Random(1), Tally()
    async with rigged(tmp_path) as rig:
        expected = await undisturbed(rig)
        for deaths in ROUNDS:
            await round_of(rig, deaths, rng, tally, expected)
    assert tally.complaints == []
    assert tally.coordinations == len(PLANS) * len(ROUNDS)
    # Not every armed process comes to its point: what is left to do depends on how far the one before it came.
    assert sum(tally.hits.values()) >= len(ROUNDS)


def test_every_point_gets_its_turn_and_what_a_crash_leads_to_is_prepared():
    rng = random.Random(1)
    for point in POINTS:
        faults = [death for death in planned(point, rng) if death]
        assert faults[-1].point == point
        assert len(faults) == 1 + (point.partition("/")[0] in PREPARED)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_trap_springs_once_at_its_point_and_time(moment):
    sprung = []
    trap = Trap(fault_from(f"append:Merged/{moment}@2"), lambda: sprung.append(dict(trap.passed)))
    for _ in range(3):
        trap.passing(["append:TimePassed", "append:Merged"], moment)
    assert sprung == [{f"append:TimePassed/{moment}": 2, f"append:Merged/{moment}": 2}]


def test_a_point_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="append:Nothing"):
        fault_from("append:Nothing/before@1")


def test_the_command_line_says_what_it_takes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--at-least" in capsys.readouterr().out
