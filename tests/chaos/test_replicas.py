"""A short chaos of replicas on PostgreSQL: a round for each thing that can befall them."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.replicas import (
    FAULTS,
    ROLL,
    ReplicaTally,
    faults_of,
    replica_rig,
    round_on,
    undisturbed_on,
    upgrade_of,
)
from tests.chaos.report import replicas_as_json, replicas_as_table
from tests.chaos.revisions import exported
from tests.chaos.work import PLANS

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

ROUNDS = (
    [(0.5, "kill"), (0.2, "kill")],
    [(0.3, "restart"), (0.2, "cut")],
    [(0.5, "freeze")],
    [(0.2, ROLL), (0.2, ROLL)],
)
THIS = Path(__file__).parents[2]


async def test_nothing_is_lost_doubled_or_changed_whatever_befalls_the_replicas(tmp_path):
    rng, tally = random.Random(1), ReplicaTally(replicas=2)
    older, mark = tmp_path / "older", tmp_path / "older-was-here"
    for package in ("coordinator", "tests"):
        shutil.copytree(THIS / package, older / package)
    with (older / "coordinator" / "__init__.py").open("a", encoding="utf-8") as program:
        program.write(f"\nopen({str(mark)!r}, 'w').close()\n")
    async with replica_rig(tmp_path, 2, older=older) as rig:
        expected = await undisturbed_on(rig, tally)
        for faults in ROUNDS:
            await round_on(rig, faults, rng, tally, expected)
    assert tally.complaints == []
    assert tally.coordinations == len(PLANS) * (1 + len(ROUNDS))
    assert set(tally.faults) == {*FAULTS, ROLL}
    assert tally.faults[ROLL] == 2
    assert mark.exists()


def test_everything_befalls_the_replicas_in_enough_rounds():
    rng = random.Random(1)
    assert {name for _ in range(50) for _, name in faults_of(rng)} == set(FAULTS)
    upgrades = [[name for _, name in upgrade_of(rng, 3)] for _ in range(50)]
    assert {name for names in upgrades for name in names} == {*FAULTS, ROLL}
    assert {names.count(ROLL) for names in upgrades} == {3}


def test_another_revision_is_written_to_a_folder_and_one_that_does_not_exist_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@a.example"]
    subprocess.run(["git", "init", "--quiet"], check=True)
    (tmp_path / "program.py").write_text("one\n", encoding="utf-8")
    subprocess.run(["git", "add", "program.py"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "one"], check=True)
    (tmp_path / "program.py").write_text("two\n", encoding="utf-8")
    assert (exported("HEAD", tmp_path / "older") / "program.py").read_text(encoding="utf-8") == "one\n"
    with pytest.raises(SystemExit, match="no revision 'v9'"):
        exported("v9", tmp_path / "older")


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
