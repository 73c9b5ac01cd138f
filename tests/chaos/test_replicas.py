"""A short chaos of replicas on PostgreSQL: a round for each thing that can befall them."""

import random

import pytest

from tests.chaos.__main__ import main
from tests.chaos.replicas import FAULTS, ReplicaTally, faults_of, replica_rig, round_on, undisturbed_on
from tests.chaos.report import replicas_as_json, replicas_as_table
from tests.chaos.work import PLANS

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

ROUNDS = (
    [(0.5, "kill"), (0.2, "kill")],
    [(0.3, "restart"), (0.2, "cut")],
    [(0.5, "freeze")],
)


async def test_nothing_is_lost_doubled_or_changed_whatever_befalls_the_replicas(tmp_path):
    rng, tally = random.Random(1), ReplicaTally(replicas=2)
    async with replica_rig(tmp_path, 2) as rig:
        expected = await undisturbed_on(rig, tally)
        for faults in ROUNDS:
            await round_on(rig, faults, rng, tally, expected)
    assert tally.complaints == []
    assert tally.coordinations == len(PLANS) * (1 + len(ROUNDS))
    assert set(tally.faults) == set(FAULTS)


def test_everything_befalls_the_replicas_in_enough_rounds():
    rng = random.Random(1)
    assert {name for _ in range(50) for _, name in faults_of(rng)} == set(FAULTS)


def test_what_is_wrong_is_told_with_the_times(capsys):
    tally = ReplicaTally(replicas=3, rounds=1, complaints=["round-1 (kill after 0.1 s): lost"])
    tally.taken_over["kill"] = [0.5, 0.25, 1.0]
    told = replicas_as_table(tally, seed=1, spent_s=2.0)
    assert "round-1 (kill after 0.1 s): lost" in told
    assert "0.50" in told
    assert '"median": 0.5' in replicas_as_json(tally, seed=1, spent_s=2.0)
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--postgres" in capsys.readouterr().out
