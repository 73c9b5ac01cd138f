"""Patterns of several stages: who waits for whom, and what is handed on."""

import asyncio

from coordinator.testing import Behaviour
from tests.escalation.rig import asking, reply, results, state, words
from tests.patterns.rig import brings, held, pattern, says
from tests.planning.making import files, text
from tests.policies.rig import given
from tests.protocol.clients import message


async def test_the_synthesiser_runs_once_when_the_last_node_is_done_with_what_all_of_them_said(tmp_path):
    nodes = ("legal", "technical", "finance")
    staff = [*held(nodes), says("synthesiser", "the report")]
    async with pattern(tmp_path, "parallel-nodes", staff) as (fleet, coordinator), asyncio.TaskGroup() as group:
        waiting = group.create_task(coordinator.ask(text("a document")))
        await fleet.until(lambda: all(fleet[name].waiting() for name in nodes))  # all at work at once
        for name in nodes:
            assert fleet["synthesiser"].counts.sends == 0
            fleet[name].release()
    answer = waiting.result()
    assert (answer.state, answer.parts) == ("COMPLETED", ["the report"])
    ((told, document),) = given(fleet, "synthesiser")
    assert told == "Write one report from these analyses."
    assert document["state"] == {"legal": "legal", "technical": "technical", "financial": "finance"}


async def test_chains_side_by_side_wait_only_for_their_own_steps(tmp_path):
    staff = [*held(["researcher", "technical"]), says("legal"), says("finance"), says("writer", "both")]
    async with pattern(tmp_path, "chains", staff) as (fleet, coordinator), asyncio.TaskGroup() as group:
        waiting = group.create_task(coordinator.ask())
        await fleet.until(lambda: fleet["researcher"].waiting() and fleet["technical"].waiting())
        fleet["researcher"].release()
        await fleet.until(lambda: fleet["legal"].counts.tasks)  # though the other chain is still at its first step
        assert fleet["finance"].counts.sends == fleet["writer"].counts.sends == 0
        fleet["technical"].release()
    assert waiting.result().parts == ["both"]
    assert given(fleet, "legal", "finance", "writer") == [["researcher"], ["technical"], ["legal", "finance"]]


async def test_a_chain_analyses_each_piece_reduces_by_rule_and_formats_the_rest(tmp_path):
    same = {"id": "same", "text": "Seen by both", "severity": "high", "confidence": 90}
    staff = [
        brings("parser", {"pieces": ["a", "b"]}, skill="parse"),
        brings("one", {"items": [same]}, skill="analyse"),
        brings("two", {"items": [same, {"id": "own", "text": "Seen by one"}]}, skill="analyse"),
        says("writer", "formatted"),
    ]
    async with pattern(tmp_path, "chain", staff) as (fleet, coordinator):
        answer = await coordinator.ask(text("look"), *files("code.zip"))
        assert given(fleet, "one", "two") == [
            ["Analyse this piece (1 of 2).", {"pieces": ["a"]}],
            ["Analyse this piece (2 of 2).", {"pieces": ["b"]}],
        ]
        ((reduced, *_),) = given(fleet, "writer")
    assert (answer.state, answer.parts) == ("COMPLETED", ["formatted"])
    assert [(one["item"]["id"], one["votes"]) for one in reduced["items"]] == [("same", 2), ("own", 1)]


async def test_what_a_planner_lists_is_done_and_written_up_however_much_it_is(tmp_path):
    tasks = [{"id": f"part-{number}", "text": f"Look at part {number}."} for number in range(7)]
    staff = [
        brings("planner", {"tasks": tasks}, skill="plan"),
        says("one"),
        says("two"),
        says("writer", "done", skill="write"),
    ]
    async with pattern(tmp_path, "planned", staff) as (fleet, coordinator):
        answer = await coordinator.ask(text("everything"))
        assert sorted(given(fleet, "one", "two")) == [[task["text"]] for task in tasks]
    assert (answer.state, answer.parts) == ("COMPLETED", ["done"])


async def test_what_a_planner_lists_is_bounded(tmp_path):
    tasks = [{"id": f"part-{number}", "text": "go"} for number in range(21)]
    staff = [brings("planner", {"tasks": tasks}, skill="plan"), says("one"), says("writer", skill="write")]
    async with pattern(tmp_path, "planned", staff) as (fleet, coordinator):
        answer = await coordinator.ask()
        assert fleet.counts.sends == 1
    assert "21 sub-tasks are more than the 20 allowed" in answer.reason


async def test_assigned_sub_tasks_go_to_whom_the_client_names_and_to_nobody_else(tmp_path):
    tasks = [
        {"id": "mail-1", "text": "Sort it.", "parts": [1], "agent": "worker-2"},
        {"id": "mail-2", "text": "Sort it.", "parts": [2], "agent": "worker-1"},
        {"id": "both", "text": "Sum up.", "after": ["mail-1", "mail-2"], "agent": "worker-1"},
    ]
    async with pattern(tmp_path, "assigned", [says("worker-1"), says("worker-2"), says("worker-3")]) as (
        fleet,
        coordinator,
    ):
        answer = await coordinator.ask(text("mails"), *files("1.eml", "2.eml"), asked={"tasks": tasks})
        assert given(fleet, "worker-1") == [["Sort it.", "2.eml"], ["Sum up.", "worker-2", "worker-1"]]
        assert given(fleet, "worker-2") == [["Sort it.", "1.eml"]]
        assert fleet["worker-3"].counts.sends == 0
    assert (answer.state, list(answer.branches)) == ("COMPLETED", ["work/mail-1", "work/mail-2", "work/both"])


def to_approve(*then):
    return [says("writer", "Dear all, …"), asking("approver", "May this be sent?", *then), says("sender", "sent")]


async def test_nothing_is_sent_before_the_client_has_approved(tmp_path):
    async with pattern(tmp_path, "approval", to_approve(Behaviour())) as (fleet, coordinator):
        task = await coordinator.caller.send(message("Write to all."))
        assert (state(task), fleet["sender"].counts.sends) == ("INPUT_REQUIRED", 0)
        assert "May this be sent?" in words(task)
        task = await coordinator.caller.send(reply(task, "yes"))
    assert (state(task), results(task)) == ("COMPLETED", ["sent"])
    assert given(fleet, "sender")[0][0] == "Dear all, …"


async def test_what_is_not_approved_is_never_sent(tmp_path):
    refused = Behaviour(end="rejected", end_text="not approved")
    async with pattern(tmp_path, "approval", to_approve(refused)) as (fleet, coordinator):
        task = await coordinator.caller.send(message("Write to all."))
        task = await coordinator.caller.send(reply(task, "no"))
        assert (state(task), fleet["sender"].counts.sends) == ("FAILED", 0)
