"""Journals written by versions of the past replay to the same tasks, and say so on every way there is."""

import json

import pytest

from coordinator.core.coordination import Coordination
from coordinator.core.events import Progressed
from coordinator.core.view import view_of
from coordinator.errors import JournalTooNew
from coordinator.journal import PushCounts, Record, SqlJournal, Status, codec
from coordinator.journal.codec import decode, decode_all, decode_view, encode, encode_view
from tests.journal.stored.loading import STORED, load

OF_VERSION_1 = {
    "AttemptFailed",
    "AttemptStarted",
    "AttemptSucceeded",
    "CancelRequested",
    "CancelSettled",
    "CoordinationFailed",
    "ExpansionFailed",
    "MergeFailed",
    "Merged",
    "Progressed",
    "StageExpanded",
    "TaskAccepted",
    "TaskOpened",
    "TimePassed",
    "TurnStarted",
}
OF_VERSION_2 = {
    "AnswerRefused",
    "AnswerTaken",
    "Asked",
    "Looked",
    "MergeDelegated",
    "MergeQuestioned",
    "MessageReceived",
    "Relayed",
    "Resumed",
}
FACTS = {
    "schema-1": OF_VERSION_1,
    "schema-2": OF_VERSION_1 | OF_VERSION_2,
    "schema-3": OF_VERSION_1 | OF_VERSION_2,
}
"""What each stored journal has to hold. A later fact is in the journal that was made for it."""

of_every_version = pytest.mark.parametrize("stored", STORED, ids=lambda path: path.stem)


def holds(told, known):
    """Whether *told* says all that *known* says; objects may have more fields than they had then."""
    if isinstance(known, dict):
        return isinstance(told, dict) and all(name in told and holds(told[name], known[name]) for name in known)
    if isinstance(known, list):
        return isinstance(told, list) and len(told) == len(known) and all(map(holds, told, known))
    return told == known


async def journal_of(stored, path):
    tasks = load(stored, path)
    return await SqlJournal.open(path), tasks


@of_every_version
async def test_a_stored_journal_replays_to_the_same_tasks(stored, path):
    journal, tasks = await journal_of(stored, path)
    for task_id, known in tasks.items():
        coordination = Coordination.replay(decode_all(await journal.read(task_id)))
        told = json.loads(encode_view(view_of(coordination, coordination.state_at)))
        assert holds(told, known)
    await journal.close()


@of_every_version
async def test_the_finished_tasks_of_a_stored_journal_are_what_its_facts_say(stored, path):
    journal, tasks = await journal_of(stored, path)
    finals = {task_id: await journal.final(task_id) for task_id in tasks}
    closed = {task_id for task_id, final in finals.items() if final}
    assert len(closed) >= 9
    for task_id in closed:
        assert holds(json.loads(encode_view(decode_view(finals[task_id]))), tasks[task_id])
    under_way = set(tasks) - closed
    assert under_way
    assert {(await journal.head(task_id)).status for task_id in under_way} == {Status.DUE}
    await journal.close()


@of_every_version
async def test_a_stored_journal_holds_every_fact_of_its_time(stored, path):
    journal, tasks = await journal_of(stored, path)
    facts = [entry.record.type for task_id in tasks for entry in await journal.read(task_id)]
    assert set(facts) >= FACTS[stored.stem]
    await journal.close()


@of_every_version
async def test_everything_a_stored_journal_refers_to_is_in_it_and_goes_with_its_tasks(stored, path):
    journal, tasks = await journal_of(stored, path)
    digests = {
        ref["digest"]
        for known in tasks.values()
        for holder in (*known["history"], *known.get("artifacts", []))
        for ref in holder["parts"]
    }
    assert set(await journal.payloads(digests)) == digests
    pruned = await journal.prune(closed_before=float("inf"), keys_before=0.0, limit=100)
    left = await journal.due(0.0)
    assert pruned.coordinations == len(tasks) - len(left)
    kept = {ref["digest"] for task_id in left for message in tasks[task_id]["history"] for ref in message["parts"]}
    assert set(await journal.payloads(digests)) == kept
    await journal.close()


async def test_a_stored_journal_knows_who_is_owed_a_push(path):
    journal, _ = await journal_of(STORED[-1], path)
    assert await journal.push_counts() == PushCounts(owed=1)
    [owed] = await journal.owed(limit=10)
    assert (owed.config.config_id, owed.config.token) == ("down", "a token")
    assert owed.failures > 0
    await journal.close()


def test_a_fact_of_an_older_version_is_brought_up_step_by_step(monkeypatch):
    def named_better(body):
        return {"text": body.pop("words"), **body}

    def told_whole(body):
        return body | {"text": f"{body['text']}."}

    monkeypatch.setattr(Progressed, "version", 3)
    upgrades = {("Progressed", 1): named_better, ("Progressed", 2): told_whole}
    monkeypatch.setattr(codec, "UPGRADES", upgrades)
    about = {"at": 1.0, "branch": "ask/ada", "attempt": 1, "state": "TASK_STATE_WORKING"}
    expected = Progressed(at=1.0, branch="ask/ada", attempt=1, state="TASK_STATE_WORKING", text="reading.")
    assert decode(Record("Progressed", 1, json.dumps({**about, "words": "reading"}))) == expected
    assert decode(Record("Progressed", 2, json.dumps({**about, "text": "reading"}))) == expected
    assert decode(Record("Progressed", 3, json.dumps({**about, "text": "reading."}))) == expected
    assert encode(expected).version == 3


@pytest.mark.parametrize(
    "record", [Record("Progressed", 99, "{}"), Record("Unheard", 1, "{}")], ids=["version", "type"]
)
def test_a_fact_of_a_later_version_is_refused(record):
    with pytest.raises(JournalTooNew, match="use a newer coordinator"):
        decode(record)
