"""A PostgreSQL that goes away and comes back under replicas at work."""

import pytest

from coordinator.testing import Behaviour, Specialist
from tests import postgres
from tests.replicas.rig import replicas
from tests.replicas.test_replicas import stage

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]

PLANS = {"stuck": {"all": stage("stuck")}, "quick": {"all": stage("quick")}}
SPECIALISTS = (Specialist("stuck", Behaviour(never_ends=True)), Specialist("quick"))


async def test_turns_outlast_a_database_that_was_away_where_they_are_and_a_stop_does_not_wait_for_it(tmp_path):
    with postgres.own() as server, server.database() as url:
        async with replicas(tmp_path, url, SPECIALISTS, PLANS, grace="2s") as rig:
            a, b = await rig.start("a", "b")
            task_id = (await a.client.send("stuck"))["id"]
            await rig.fleet.until("tasks", agent="stuck")
            server.stop()
            await rig.until(lambda: _is_not(a.is_ready(rig.http)), "a says that it is not ready")
            server.start()
            for each in (a, b):
                await rig.until(lambda it=each: it.is_ready(rig.http), f"{each.name} is ready again")
            assert await rig.over((await b.client.send("quick"))["id"]) == "TASK_STATE_COMPLETED"
            [(driver, epoch)] = await rig.query("SELECT driver, epoch FROM head WHERE task_id = %s", task_id)
            assert (driver.partition(":")[0], epoch) == ("a", 1)
            await b.client.cancel(task_id)
            assert await rig.over(task_id) == "TASK_STATE_CANCELED"
            server.stop()
            assert await a.stop() == 0
            server.start()


async def _is_not(condition):
    return not await condition
