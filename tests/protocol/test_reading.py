"""Reading tasks: one, or a page of them."""

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.timestamp_pb2 import Timestamp

from tests.protocol.clients import message, texts
from tests.protocol.specialists import busy, hold
from tests.protocol.wires import V1, call, result_of, send

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)


async def sent(client, number, **fields):
    """Send *number* messages, one after the other, and return the tasks, the latest first."""
    return [await client.send(message(f"number {count}", **fields)) for count in range(number)][::-1]


def ids(tasks):
    return [task.id for task in tasks]


async def all_pages(client, **fields):
    pages = [await client.tasks(**fields)]
    while pages[-1].next_page_token:
        pages.append(await client.tasks(**fields, page_token=pages[-1].next_page_token))
    return pages


async def test_3_2_4_history_is_as_long_as_asked(client):
    task = await client.send(message("the question"))
    assert [len(held.history) for held in (task, await client.get(task.id))] == [1, 1]
    assert not (await client.get(task.id, history_length=0)).history
    assert (await client.get(task.id, history_length=1)).history == task.history
    assert (await client.get(task.id, history_length=9)).history == task.history
    assert task.history[0].parts[0].text == "the question"


async def test_3_2_4_the_history_length_of_a_send_counts_for_its_answer(client):
    assert not (await client.send(history_length=0)).history
    assert len((await client.send(history_length=5)).history) == 1
    streamed = [event async for event in client.stream(history_length=0)]
    assert not streamed[0].task.history


async def test_3_2_4_a_large_message_comes_back_only_when_it_is_asked_for(client):
    task = await client.send(message("x" * 300_000))
    assert not task.history
    assert not (await client.get(task.id)).history
    assert len((await client.get(task.id, history_length=1)).history[0].parts[0].text) == 300_000


@on_both_journals
async def test_3_1_4_the_latest_status_comes_first(client):
    tasks = await sent(client, 3)
    assert ids((await client.tasks()).tasks) == ids(tasks)


@on_both_journals
async def test_3_1_4_a_status_change_moves_a_task_to_the_front(client, fleet):
    hold(fleet)
    older = await client.send(return_immediately=True)
    newer = await client.send(return_immediately=True)
    await busy(fleet, "ada", "bob", tasks=2)
    assert ids((await client.tasks()).tasks) == [newer.id, older.id]
    await client.cancel(older.id)
    assert ids((await client.tasks()).tasks) == [older.id, newer.id]


@on_both_journals
async def test_3_1_4_pages_follow_each_other_without_gap_or_repetition(client):
    tasks = await sent(client, 5)
    pages = await all_pages(client, page_size=2)
    assert [ids(page.tasks) for page in pages] == [ids(tasks[:2]), ids(tasks[2:4]), ids(tasks[4:])]
    assert [page.page_size for page in pages] == [2, 2, 2]
    assert [page.total_size for page in pages] == [5, 5, 5]


@on_both_journals
async def test_3_1_4_a_page_that_is_exactly_full_is_the_last_one(client):
    tasks = await sent(client, 2)
    page = await client.tasks(page_size=2)
    assert (ids(page.tasks), page.next_page_token, page.total_size) == (ids(tasks), "", 2)


@on_both_journals
async def test_3_1_4_filters_narrow_the_tasks_and_the_total(client, fleet):
    await client.send(message(context_id="finished"))
    hold(fleet)
    open_task = await client.send(message(context_id="open"), return_immediately=True)
    await busy(fleet, "bob")
    by_context = await client.tasks(context_id="open")
    by_state = await client.tasks(status=a2a.TASK_STATE_WORKING)
    neither = await client.tasks(context_id="open", status=a2a.TASK_STATE_COMPLETED)
    assert (ids(by_context.tasks), by_context.total_size) == ([open_task.id], 1)
    assert (ids(by_state.tasks), by_state.total_size) == ([open_task.id], 1)
    assert (ids(neither.tasks), neither.total_size, neither.next_page_token) == ([], 0, "")


@on_both_journals
async def test_3_1_4_a_time_of_status_includes_itself_and_what_came_later(client):
    newest, middle, _ = await sent(client, 3)
    later = Timestamp()
    later.FromMilliseconds(newest.status.timestamp.ToMilliseconds() + 1)
    since = await client.tasks(status_timestamp_after=middle.status.timestamp)
    after = await client.tasks(status_timestamp_after=later)
    assert newest.id in ids(since.tasks)
    assert middle.id in ids(since.tasks)
    assert since.total_size == len(since.tasks)
    assert not after.tasks


async def test_3_1_4_a_token_counts_only_for_the_query_it_was_made_for(client):
    await sent(client, 2, context_id="mine")
    page = await client.tasks(page_size=1, context_id="mine")
    with pytest.raises(Exception, match="page_token"):
        await client.tasks(page_size=1, context_id="other", page_token=page.next_page_token)


async def test_3_1_4_artifacts_come_only_when_asked_for(client, http):
    task = await client.send()
    over_rpc = result_of(await call(http, "ListTasks", {}))
    over_rest = result_of(await http.get("/tasks", headers=V1))
    assert "artifacts" not in over_rpc["tasks"][0]
    assert "artifacts" not in over_rest["tasks"][0]
    assert texts((await client.tasks(include_artifacts=True)).tasks[0]) == texts(task)


async def test_3_1_4_the_token_and_the_sizes_are_always_there(http):
    for page in (result_of(await call(http, "ListTasks", {})), result_of(await http.get("/tasks", headers=V1))):
        assert (page["tasks"], page["nextPageToken"], page["pageSize"], page["totalSize"]) == ([], "", 50, 0)


async def test_3_1_4_history_of_listed_tasks_is_as_long_as_asked(client):
    await sent(client, 2)
    assert [len(task.history) for task in (await client.tasks(history_length=0)).tasks] == [0, 0]
    assert [len(task.history) for task in (await client.tasks(history_length=3)).tasks] == [1, 1]


async def test_5_6_1_timestamps_are_utc_with_milliseconds(http):
    task = result_of(await send(http))["task"]
    date, point, fraction = task["status"]["timestamp"].partition(".")
    assert (date[10], point, fraction[-1]) == ("T", ".", "Z") or date.endswith("Z")
    assert len(fraction.rstrip("Z")) in {0, 3}


async def test_5_5_states_and_roles_are_spelled_as_the_protocol_spells_them(http):
    task = result_of(await send(http))["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["status"]["message"]["role"] == "ROLE_AGENT"
    assert task["history"][0]["role"] == "ROLE_USER"
