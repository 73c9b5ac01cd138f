import json

import pytest

from coordinator.core.model import FailureKind, Limits, MergeSpec, Need, Release, Retry
from coordinator.core.record import MOST_BRANCHES, progress, run_record
from tests.core.building import T0, Script


def test_progress_shows_the_tally_and_every_branch():
    script = Script(4, limits=Limits(concurrency=2), need=Need("count", 0), retry=Retry(2, 4.0, 4.0))
    script.begins("a")
    script.opens("a")
    script.progresses("a", "120 of 300 files")
    script.begins("b")
    script.now += 0.5
    script.fails("b", FailureKind.OVERLOADED, message="busy")
    script.begins("c")
    script.now += 0.25
    script.succeeds("c")
    assert progress(script.coordination, script.now + 1) == {
        "tally": {"total": 4, "succeeded": 1, "failed": 0, "canceled": 0, "open": 3},
        "branches": [
            {
                "id": "review/a",
                "agent": "agent-a",
                "state": "working",
                "attempt": 1,
                "seconds": 1.75,
                "text": "120 of 300 files",
            },
            {
                "id": "review/b",
                "agent": "agent-b",
                "state": "retrying",
                "attempt": 1,
                "seconds": 1.75,
                "error": "busy",
            },
            {"id": "review/c", "agent": "agent-c", "state": "succeeded", "attempt": 1, "seconds": 0.25},
            {"id": "review/d", "agent": "agent-d", "state": "queued", "attempt": 1, "seconds": 0.0},
        ],
    }


def test_a_branch_that_waits_for_a_place_has_taken_no_time():
    script = Script(2, limits=Limits(concurrency=1))
    queued = progress(script.coordination, T0 + 60)["branches"][1]
    assert queued == {"id": "review/b", "agent": "agent-b", "state": "queued", "attempt": 0, "seconds": 0.0}


def test_a_branch_whose_request_has_not_gone_out_shows_as_queued_and_then_as_sending():
    script = Script(1)
    assert progress(script.coordination, T0)["branches"][0]["state"] == "queued"
    script.begins("a")
    assert progress(script.coordination, T0)["branches"][0]["state"] == "sending"


def test_the_run_record_counts_the_wait_for_a_place_as_queue_time():
    script = Script(1)
    script.now += 2.5
    script.begins("a")
    script.now += 1.0
    script.succeeds("a")
    script.merges()
    (branch,) = run_record(script.coordination)["branches"]
    assert (branch["queueSeconds"], branch["runSeconds"]) == (2.5, 1.0)


def test_the_run_record_of_a_partial_result_says_what_became_of_every_branch():
    script = Script(3, need=Need("count", 1), limits=Limits(concurrency=2), merge=MergeSpec("findings"))
    script.now += 0.01
    script.begins("a")
    script.opens("a")
    script.begins("b")
    script.now += 1.2
    script.succeeds("a")
    script.fails("b", FailureKind.UNREACHABLE, message="connection refused")
    script.now += 0.3
    script.succeeds("c", artifacts=())
    script.merges(summary={"received": 12, "merged": 9})
    record = run_record(script.coordination)
    assert record == {
        "plan": "code-review",
        "verdict": "partial",
        "reason": script.coordination.reason,
        "tally": {"total": 3, "succeeded": 2, "failed": 1, "canceled": 0},
        "branches": [
            {
                "id": "review/a",
                "agent": "agent-a",
                "url": "http://agent-a.test",
                "taskId": "remote-a-1",
                "contextId": "context-a",
                "attempts": 1,
                "outcome": "succeeded",
                "queueSeconds": 0.01,
                "runSeconds": 1.2,
                "artifacts": ["review/a/findings"],
            },
            {
                "id": "review/b",
                "agent": "agent-b",
                "url": "http://agent-b.test",
                "attempts": 1,
                "outcome": "failed",
                "queueSeconds": 0.01,
                "runSeconds": 1.2,
                "error": {"kind": "unreachable", "message": "connection refused"},
                "artifacts": [],
            },
            {
                "id": "review/c",
                "agent": "agent-c",
                "url": "http://agent-c.test",
                "attempts": 1,
                "outcome": "succeeded",
                "queueSeconds": 1.51,
                "runSeconds": 0.0,
                "artifacts": [],
            },
        ],
        "merge": {"strategy": "findings", "received": 12, "merged": 9},
        "wallSeconds": 1.51,
    }


def test_the_run_record_says_what_was_canceled_and_what_became_of_it():
    script = Script(3, release=Release.ENOUGH, need=Need("count", 1), limits=Limits(concurrency=2))
    script.opens("b")
    script.succeeds("a")
    script.settles_cancel("b", result="finished")
    script.merges()
    _, straggler, queued = run_record(script.coordination)["branches"]
    assert (straggler["outcome"], straggler["cancel"], straggler["taskId"]) == ("canceled", "finished", "remote-b-1")
    assert (queued["outcome"], queued["attempts"]) == ("canceled", 0)
    assert "cancel" not in queued
    assert "taskId" not in queued


def test_a_cancel_that_is_not_settled_yet_is_recorded_as_requested():
    script = Script(1)
    script.cancels()
    record = run_record(script.coordination)
    assert record["verdict"] == "canceled"
    assert record["branches"][0]["cancel"] == "requested"
    assert record["merge"] == {"strategy": "concat"}


def test_a_task_that_was_canceled_before_its_turn_has_a_record_without_branches():
    script = Script(2, started=False)
    script.now += 4
    script.cancels()
    record = run_record(script.coordination)
    assert record["tally"] == {"total": 0, "succeeded": 0, "failed": 0, "canceled": 0}
    assert record["branches"] == []
    assert record["wallSeconds"] == 4


def test_a_task_that_still_works_has_no_verdict_and_no_account_of_its_branches():
    record = run_record(Script(1).coordination)
    assert (record["verdict"], record["branches"]) == ("", [])


@pytest.mark.parametrize("late", ["opens", "settles_cancel", "succeeds", "fails"])
def test_the_run_record_is_frozen_when_the_task_becomes_terminal(late):
    script = Script(1)
    script.cancels()
    record = run_record(script.coordination)
    getattr(script, late)("a")
    assert run_record(script.coordination) == record


def test_a_clock_that_went_back_gives_no_negative_time():
    script = Script(1)
    script.begins("a")
    script.now -= 5
    script.succeeds("a")
    script.merges()
    record = run_record(script.coordination)
    assert (record["branches"][0]["runSeconds"], record["wallSeconds"]) == (0.0, 0.0)


def test_metadata_lists_a_bounded_number_of_branches_and_counts_them_all():
    script = Script(MOST_BRANCHES + 50)
    shown = progress(script.coordination, T0)
    assert len(shown["branches"]) == MOST_BRANCHES == 200
    assert shown["tally"]["total"] == 250
    script.cancels()
    record = run_record(script.coordination)
    assert [branch["id"] for branch in record["branches"]] == [f"review/s{number}" for number in range(200)]
    assert record["tally"]["canceled"] == 250


def test_both_are_json():
    script = Script(2)
    script.opens("a")
    script.fails("a")
    shown = progress(script.coordination, T0)
    assert json.loads(json.dumps(shown)) == shown
    script.cancels()
    record = run_record(script.coordination)
    assert record["branches"][0]["error"]["kind"] == "rejected"
    assert json.loads(json.dumps(record)) == record


def test_the_run_record_lists_artifacts_under_the_ids_a_failed_task_keeps_them_under():
    script = Script(2)
    script.succeeds("a")
    script.fails("b")
    listed = run_record(script.coordination)["branches"][0]["artifacts"]
    assert listed == [kept.artifact_id for kept in script.coordination.artifacts]
