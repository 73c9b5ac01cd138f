"""Makes a stored journal that holds every kind of fact, by running the system.

`python -m tests.journal.stored.making FILE`, once for each schema version, when it is new, and again beside it when
there are new facts. What it made may be made anew until that version is released; from then on it is kept for ever:
it has to replay to the same tasks.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import yaml
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import A2AError, UnsupportedOperationError

from coordinator import testing
from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.core.coordination import Coordination
from coordinator.core.view import view_of
from coordinator.journal import SqlJournal
from coordinator.journal.codec import decode_all, encode_view
from coordinator.outbound import Patience
from coordinator.testing import Behaviour, Fleet, Specialist, answers
from coordinator.testing.life import Beat, Status
from coordinator.testing.server import listener, serving
from tests.escalation.rig import ACTIVE, answering, asking, reply, tagged
from tests.protocol.clients import Caller, asking_for, calling
from tests.protocol.receiver import receiving

FOUND = answers.data({"found": {"files": ["a.py", "b.py"]}})


def plan(name, stages, **more):
    return {"name": name, "description": f"The plan {name}.", "stages": stages, **more}


def ask(*agents, **more):
    return {"fan_out": {"to": {"agents": list(agents)}}, "merge": "concat"} | more


def contrary(severity):
    return answers.data({"items": [{"id": 1, "severity": severity, "confidence": 80, "text": "a hole"}]})


def chain(first):
    batches = {"to": {"agents": ["ada", "bob"]}, "split": {"of": "parse", "items": "found.files", "batch": 1}}
    return {"parse": ask(first), "work": {"fan_out": batches, "merge": "concat"}}


PLANS = [
    plan("gather", {"ask": ask("ada", "bob")}),
    plan("again", {"ask": ask("shaky", on_failure={"retry": {"attempts": 2, "backoff": "50ms..50ms"}})}),
    plan("race", {"ask": ask("ada", "slow", barrier={"release": "first"})}),
    plan("partial", {"ask": ask("ada", "broken", barrier={"need": 1})}),
    plan("strict", {"ask": ask("broken", "slow", on_failure={"exhausted": "fail_fast"})}),
    plan("chain", chain("parser")),
    plan("lost", chain("ada")),
    plan("review", {"ask": {**ask("liar"), "merge": "findings"}}),
    plan("plain", {"ask": {"fan_out": {"to": {"agents": ["ada"]}}}}),
    plan("written", {"ask": ask("ada", "bob", merge={"strategy": "synthesize", "agent": "writer"})}),
    plan("hours", {"ask": ask("slow")}),
    plan("contrary", {"ask": ask("yes", "no", merge={"strategy": "items", "conflicts": "escalate"})}),
    plan("asks", {"ask": ask("amy", "cy")}),
    plan("waits", {"ask": ask("ben")}),
]
STAFF = [
    Specialist("ada", Behaviour(steps=("reading", "writing"), artifacts=(answers.text("the answer of ada"),))),
    Specialist("bob", Behaviour(message="the answer of bob")),
    Specialist("shaky", (Behaviour(end="failed", end_text="not today"), Behaviour())),
    Specialist("broken", Behaviour(end="failed", end_text="out of order")),
    Specialist("slow", Behaviour(never_ends=True)),
    Specialist("parser", Behaviour(artifacts=(FOUND,))),
    Specialist("liar", Behaviour(artifacts=(answers.findings({"rule": "one"}),))),
    Specialist("writer", Behaviour(artifacts=(answers.text("all of it in one"),))),
    Specialist("yes", Behaviour(artifacts=(contrary("high"),))),
    Specialist("no", Behaviour(artifacts=(contrary("low"),))),
    asking("amy", "tabs or spaces?"),
    asking("cy", "how wide?", Behaviour(rpc_error=-32602), answering("cy")),
    asking("ben", "approve this", end="auth_required"),
]
AT_ONCE = {"return_immediately": True}


@asynccontextmanager
async def coordinator(folder: Path, fleet: Fleet, database: Path) -> AsyncIterator[Caller]:
    cards = str(fleet.write_cards(folder / "cards"))
    with listener() as opened:
        settings = Settings(
            port=opened.getsockname()[1],
            db=str(database),
            plans=(str(folder / "plans"),),
            default_plan="gather",
            agents=(cards,),
            push_allow=("127.0.0.1",),
        )
        async with (
            assembled(settings, Patience(progress_s=0.0)) as app,
            serving(app, opened),
            calling(settings.url, "JSONRPC") as caller,
        ):
            yield caller


async def make(folder: Path, database: Path) -> None:
    (folder / "plans").mkdir()
    for document in PLANS:
        (folder / "plans" / f"{document['name']}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    async with testing.fleet(STAFF) as fleet:
        async with coordinator(folder, fleet, database) as caller:
            for document in PLANS[:-4]:
                await caller.send(asking_for(document["name"], f"please {document['name']}"))
            await ask_and_answer(caller)
            await wait_for_approval(caller, fleet)
            await push_to_the_end(caller, database)
            contrary = await caller.send(asking_for("contrary", "please decide"))
            await caller.send(reply(contrary, "trust yes"))
            canceled = await caller.send(asking_for("hours", "cancel this"), **AT_ONCE)
            poisoned = await caller.send(asking_for("hours", "never gets on"), **AT_ONCE)
            nowhere = a2a.TaskPushNotificationConfig(url="http://127.0.0.1:9/hook", id="down", token="a token")
            await caller.send(asking_for("hours", "still under way"), **AT_ONCE, task_push_notification_config=nowhere)
            await fleet.until(lambda: fleet["slow"].counts.tasks == 5)
            await caller.cancel(canceled.id)
        journal = await SqlJournal.open(database)
        for _ in range(6):
            await journal.claim(poisoned.id, "a driver that dies")
        await journal.close()
        async with coordinator(folder, fleet, database) as caller:
            with suppress(UnsupportedOperationError):  # it is over already
                async for _ in caller.subscribe(poisoned.id):
                    pass


async def ask_and_answer(caller: Caller) -> None:
    """Answer two questions; one agent refuses its answer at first."""
    asked = await caller.send(asking_for("asks", "please ask"), headers=ACTIVE)
    with suppress(A2AError):
        await caller.send(tagged(asked, amy="tabs", cy="very wide"), headers=ACTIVE)
    again = await caller.get(asked.id)
    await caller.send(reply(again, "80"))


async def wait_for_approval(caller: Caller, fleet: Fleet) -> None:
    """Let a parked task be looked at, then go on by itself, then end."""
    waiting = await caller.send(asking_for("waits", "please wait"))
    looks = fleet["ben"].counts.gets
    await fleet.until(lambda: fleet["ben"].counts.gets > looks)
    (below,) = fleet["ben"].tasks.values()
    below.take(Beat(Status("working", "going on")))
    async for event in caller.subscribe(waiting.id):
        if event.status_update.status.state == a2a.TASK_STATE_WORKING:
            below.take(Beat(Status("completed")))


async def push_to_the_end(caller: Caller, database: Path) -> None:
    """Let a webhook be told of a task, until its end is noted."""
    async with receiving() as hook:
        config = a2a.TaskPushNotificationConfig(url=f"{hook.url}/hook", token="a token")
        await caller.send(asking_for("gather", "please tell me"), task_push_notification_config=config)
        while pushes(database) != [("done",)]:  # noqa: ASYNC110 - nothing tells of a write to the file
            await asyncio.sleep(0.05)


def pushes(database: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT state FROM push").fetchall()


def dump(database: Path, target: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE head SET driver = 'somebody'")  # not the name of whose machine it was
        connection.commit()
        marks = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        }
        lines = [*(f"PRAGMA {name} = {value};" for name, value in marks.items()), *connection.iterdump()]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


async def tasks(database: Path) -> dict[str, object]:
    with closing(sqlite3.connect(database)) as connection:
        ids = [row[0] for row in connection.execute("SELECT task_id FROM head ORDER BY created_at")]
    journal = await SqlJournal.open(database)
    views = {}
    for task_id in ids:
        coordination = Coordination.replay(decode_all(await journal.read(task_id)))
        views[task_id] = json.loads(encode_view(view_of(coordination, coordination.state_at)))
    await journal.close()
    return views


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "coordinator.db"
        asyncio.run(make(folder, database))
        dump(database, target)
        views = asyncio.run(tasks(database))
    target.with_suffix(".json").write_text(json.dumps(views, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
