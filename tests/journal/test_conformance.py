"""What every journal promises, whoever stores it."""

import asyncio
from dataclasses import replace

import pytest

from coordinator.errors import BadPageToken, ClaimLost, JournalError, JournalUnavailable, TaskClosed, UnknownTask
from coordinator.journal import Acceptance, Claim, Head, Payload, Pruned, Record, Scope, Status, TaskFilter, TaskPage
from tests.journal.builders import (
    ALICE,
    BOB,
    CLOSED,
    PARKED,
    WORKING,
    accepted,
    bodies,
    claimed,
    inbox_bodies,
    new_task,
    record,
)

# --- accept -----------------------------------------------------------------------------------------------


async def test_an_accepted_task_is_due_with_its_record_as_entry_one(journal):
    task = new_task("t1", context="c7", scope=Scope("alice", "north"), at=900.5)
    assert await journal.accept(task, Record("Accepted", 3, '{"plan":"ü"}')) == Acceptance("t1", created=True)
    assert await journal.head("t1") == Head(
        task_id="t1",
        context_id="c7",
        scope=Scope("alice", "north"),
        plan="review",
        state="submitted",
        status=Status.DUE,
        seq=1,
        epoch=0,
        turn=1,
        wake_at=None,
        driver="",
        idle_claims=0,
        created_at=900.5,
        status_at=900.5,
    )
    [entry] = await journal.read("t1")
    assert (entry.seq, entry.record) == (1, Record("Accepted", 3, '{"plan":"ü"}'))
    assert await journal.inbox("t1") == ()
    assert await journal.final("t1") is None


async def test_a_repeated_key_gives_the_older_task_and_writes_nothing(journal):
    await journal.accept(new_task("t1"), record(), key="k")
    again = await journal.accept(new_task("t2"), record(), key="k", payloads=[Payload("d", b"x")])
    assert again == Acceptance("t1", created=False)
    assert await journal.head("t2") is None
    assert await journal.payloads(["d"]) == {}
    assert await journal.inbox("t1") == ()


async def test_an_empty_key_is_never_compared(journal):
    assert (await journal.accept(new_task("t1"), record())).created
    assert (await journal.accept(new_task("t2"), record())).created
    assert await journal.put("t1", record("a"))
    assert await journal.put("t1", record("b"))


@pytest.mark.parametrize(("later", "created"), [(599.9, False), (600.0, True), (5_000.0, True)])
async def test_a_key_is_known_inside_its_window_only(journal, clock, later, created):
    await journal.accept(new_task("t1"), record(), key="k", window_s=600.0)
    clock.time += later
    assert (await journal.accept(new_task("t2"), record(), key="k", window_s=600.0)).created is created


async def test_an_expired_key_belongs_to_the_task_that_used_it_last(journal, clock):
    await journal.accept(new_task("t1"), record(), key="k")
    clock.time += 601
    await journal.accept(new_task("t2"), record(), key="k")
    clock.time += 599
    assert await journal.accept(new_task("t3"), record(), key="k") == Acceptance("t2", created=False)
    assert await bodies(journal, "t1") == ["{}"]


async def test_concurrent_accepts_with_one_key_make_one_task(journal):
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(journal.accept(new_task(f"t{n}"), record(), key="k")) for n in range(20)]
    answers = [call.result() for call in calls]
    assert len({answer.task_id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert (await journal.tasks(ALICE, TaskFilter())).total_size == 1


async def test_a_task_id_cannot_be_taken_twice(journal):
    await journal.accept(new_task("t1"), record("first"))
    with pytest.raises(JournalError):
        await journal.accept(new_task("t1", context="other"), record("second"), payloads=[Payload("d", b"x")])
    assert await bodies(journal) == ["first"]
    assert await journal.payloads(["d"]) == {}


# --- put and inbox ----------------------------------------------------------------------------------------


async def test_what_is_put_waits_in_the_inbox_in_order(journal):
    await accepted(journal)
    await accepted(journal, "t2")
    for body in ("a", "b", "c"):
        assert await journal.put("t1", record(body)) is True
    await journal.put("t2", record("elsewhere"))
    items = await journal.inbox("t1")
    assert [item.record.body for item in items] == ["a", "b", "c"]
    assert sorted({item.number for item in items}) == [item.number for item in items]
    assert await bodies(journal) == ["accepted"]


async def test_putting_into_an_idle_coordination_makes_it_due_in_a_new_turn(journal):
    claim = await claimed(journal)
    await journal.append(claim, [], replace(PARKED, wake_at=2_000.0))
    await journal.put("t1", record())
    head = await journal.head("t1")
    assert (head.status, head.turn, head.state) == (Status.DUE, 2, "input-required")
    await journal.put("t1", record())
    assert (await journal.head("t1")).turn == 2


async def test_a_known_key_is_not_put_again(journal, clock):
    await accepted(journal)
    assert await journal.put("t1", record("a"), key="k", payloads=[Payload("d", b"x")])
    clock.time += 10_000
    assert await journal.put("t1", record("b"), key="k", payloads=[Payload("e", b"y")]) is False
    assert await inbox_bodies(journal) == ["a"]
    assert await journal.payloads(["d", "e"]) == {"d": b"x"}


async def test_the_key_of_an_accepted_message_cannot_be_put(journal):
    await journal.accept(new_task(), record(), key="k")
    assert await journal.put("t1", record(), key="k") is False


async def test_a_repeated_message_to_a_closed_task_is_known_and_a_new_one_refused(journal):
    claim = await claimed(journal)
    await journal.put("t1", record(), key="k")
    [item] = await journal.inbox("t1")
    await journal.append(claim, [record()], CLOSED, consumed=[item.number])
    assert await journal.put("t1", record(), key="k") is False
    with pytest.raises(TaskClosed):
        await journal.put("t1", record(), key="other", payloads=[Payload("d", b"x")])
    assert await journal.payloads(["d"]) == {}
    assert await journal.inbox("t1") == ()


async def test_nothing_can_be_put_for_an_unknown_task(journal):
    with pytest.raises(UnknownTask):
        await journal.put("nobody", record(), payloads=[Payload("d", b"x")])
    assert await journal.payloads(["d"]) == {}


# --- claim and append -------------------------------------------------------------------------------------


async def test_a_claim_raises_the_epoch_and_counts(journal):
    await accepted(journal)
    assert await journal.claim("t1", "a") == Claim("t1", epoch=1, seq=1)
    assert await journal.claim("t1", "b") == Claim("t1", epoch=2, seq=1)
    head = await journal.head("t1")
    assert (head.epoch, head.driver, head.idle_claims, head.status) == (2, "b", 2, Status.DUE)


async def test_a_claim_on_top_of_an_epoch_is_lost_once_somebody_has_claimed_since(journal):
    await accepted(journal)
    assert await journal.claim("t1", "a", after=0) == Claim("t1", epoch=1, seq=1)
    with pytest.raises(ClaimLost):
        await journal.claim("t1", "late", after=0)
    head = await journal.head("t1")
    assert (head.epoch, head.driver, head.idle_claims) == (1, "a", 1)
    assert await journal.claim("t1", "b", after=1) == Claim("t1", epoch=2, seq=1)


@pytest.mark.parametrize("after", [None, 0, 1, 9])
async def test_unknown_and_closed_coordinations_cannot_be_claimed(journal, after):
    assert await journal.claim("nobody", "a", after=after) is None
    await journal.append(await claimed(journal), [], CLOSED)
    assert await journal.claim("t1", "a", after=after) is None


async def test_an_append_writes_entries_head_and_payloads_together(journal):
    claim = await claimed(journal)
    change = replace(PARKED, status_at=1_234.5, wake_at=2_000.25)
    after = await journal.append(claim, [record("a"), record("b")], change, payloads=[Payload("d", b"x")])
    assert after == Claim("t1", epoch=1, seq=3)
    assert await bodies(journal) == ["accepted", "a", "b"]
    head = await journal.head("t1")
    assert (head.seq, head.state, head.status, head.status_at, head.wake_at) == (
        3,
        "input-required",
        Status.IDLE,
        1_234.5,
        2_000.25,
    )
    assert await journal.payloads(["d"]) == {"d": b"x"}


async def test_appends_follow_one_another_without_gaps(journal):
    claim = await claimed(journal)
    for n in range(10):
        claim = await journal.append(claim, [record(str(n))] * (n % 3), WORKING)
    assert claim.seq == 10
    assert len(await bodies(journal)) == 10


async def test_only_progress_resets_the_idle_claims(journal):
    claim = await claimed(journal)
    claim = await journal.append(claim, [record("turn started")], replace(WORKING, is_progress=False))
    assert (await journal.head("t1")).idle_claims == 1
    await journal.append(claim, [record()], WORKING)
    assert (await journal.head("t1")).idle_claims == 0


async def test_a_claim_is_lost_when_somebody_else_claims(journal):
    lost = await claimed(journal)
    await journal.put("t1", record("kept"))
    [item] = await journal.inbox("t1")
    await journal.claim("t1", "somebody else")
    before = await journal.head("t1")
    with pytest.raises(ClaimLost):
        await journal.append(lost, [record("no")], CLOSED, consumed=[item.number], payloads=[Payload("d", b"x")])
    assert await journal.head("t1") == before
    assert await bodies(journal) == ["accepted"]
    assert await inbox_bodies(journal) == ["kept"]
    assert await journal.payloads(["d"]) == {}


async def test_a_claim_that_missed_an_entry_is_lost(journal):
    stale = await claimed(journal)
    await journal.append(stale, [record("a")], WORKING)
    with pytest.raises(ClaimLost):
        await journal.append(stale, [record("b")], WORKING)
    assert await bodies(journal) == ["accepted", "a"]


@pytest.mark.parametrize("claim", [Claim("t1", 1, 2), Claim("t1", 0, 1), Claim("t1", 2, 1), Claim("nobody", 1, 1)])
async def test_a_claim_that_was_never_given_is_lost(journal, claim):
    await claimed(journal)
    with pytest.raises(ClaimLost):
        await journal.append(claim, [record()], WORKING)


async def test_of_concurrent_appends_under_one_claim_one_is_written(journal):
    claim = await claimed(journal)

    async def attempt(n: int) -> bool:
        try:
            await journal.append(claim, [record(str(n))], WORKING)
        except ClaimLost:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        attempts = [group.create_task(attempt(n)) for n in range(10)]
    assert sum(done.result() for done in attempts) == 1
    assert len(await bodies(journal)) == 2


async def test_closing_stores_the_final_task_and_gives_the_claim_up(journal):
    claim = await journal.append(await claimed(journal), [record()], CLOSED)
    head = await journal.head("t1")
    assert (head.status, head.state, await journal.final("t1")) == (Status.CLOSED, "completed", b"the task")
    with pytest.raises(ClaimLost):
        await journal.append(claim, [record()], WORKING)


async def test_only_closing_stores_a_final_task(journal):
    await journal.append(await claimed(journal), [], replace(WORKING, final=b"too early"))
    assert await journal.final("t1") is None
    assert await journal.final("nobody") is None


async def test_consumed_items_leave_the_inbox(journal):
    claim = await claimed(journal)
    for body in ("a", "b", "c"):
        await journal.put("t1", record(body))
    first, _, third = await journal.inbox("t1")
    claim = await journal.append(claim, [record()], WORKING, consumed=[first.number, third.number])
    assert await inbox_bodies(journal) == ["b"]
    await journal.append(claim, [], WORKING, consumed=[first.number, 987_654])
    assert await inbox_bodies(journal) == ["b"]


async def test_the_items_of_another_coordination_cannot_be_consumed(journal):
    claim = await claimed(journal)
    await accepted(journal, "t2")
    await journal.put("t2", record("theirs"))
    [item] = await journal.inbox("t2")
    await journal.append(claim, [record()], WORKING, consumed=[item.number])
    assert await inbox_bodies(journal, "t2") == ["theirs"]


@pytest.mark.parametrize("change", [PARKED, CLOSED])
async def test_who_parks_or_closes_over_an_unread_message_stays_due(journal, change):
    claim = await claimed(journal)
    await journal.put("t1", record("unread"))
    claim = await journal.append(claim, [record()], change)
    head = await journal.head("t1")
    assert (head.status, head.state, head.turn) == (Status.DUE, change.state, 1)
    assert await journal.final("t1") is None
    [item] = await journal.inbox("t1")
    await journal.append(claim, [record()], change, consumed=[item.number])
    assert (await journal.head("t1")).status is change.status


# --- what is due ------------------------------------------------------------------------------------------


async def test_due_are_those_with_work_or_a_wake_time_passed_oldest_first(journal):
    for task_id, at, change in (
        ("young", 4.0, None),
        ("woken", 3.0, replace(PARKED, wake_at=500.0)),
        ("asleep", 2.0, replace(PARKED, wake_at=500.5)),
        ("waiting", 2.0, PARKED),
        ("closed", 1.0, replace(CLOSED, wake_at=100.0)),
        ("old", 0.5, WORKING),
    ):
        claim = await claimed(journal, task_id, at=at)
        if change:
            await journal.append(claim, [], change)
    assert await journal.due(500.0) == ("old", "woken", "young")


async def test_due_leaves_out_what_a_driver_that_is_named_goes_on_with(journal):
    for at, (task_id, driver) in enumerate([("new", ""), ("here", "us"), ("there", "them"), ("timed", "them")]):
        await accepted(journal, task_id, at=float(at))
        claim = await journal.claim(task_id, driver) if driver else None
        if task_id == "timed":
            await journal.append(claim, [], replace(PARKED, wake_at=400.0))
    assert await journal.due(500.0, besides=["them", "others"]) == ("new", "here", "timed")


async def test_the_next_wake_is_the_earliest_of_the_idle(journal):
    assert await journal.next_wake() is None
    for task_id, change in (
        ("working", replace(WORKING, wake_at=50.0)),
        ("closed", replace(CLOSED, wake_at=60.0)),
        ("later", replace(PARKED, wake_at=300.0)),
        ("waiting", PARKED),
        ("sooner", replace(PARKED, wake_at=200.0)),
    ):
        await journal.append(await claimed(journal, task_id), [], change)
    assert await journal.next_wake() == 200.0


# --- reading ----------------------------------------------------------------------------------------------


async def test_reading_begins_after_a_seq(journal):
    await journal.append(await claimed(journal), [record(body) for body in "abc"], WORKING)
    assert await bodies(journal, after=2) == ["b", "c"]
    assert await journal.read("t1", 4) == ()
    assert len(await journal.read("t1", -1)) == 4


async def test_of_an_unknown_task_there_is_nothing_to_read(journal):
    assert await journal.read("nobody") == ()
    assert await journal.inbox("nobody") == ()
    assert await journal.head("nobody") is None


async def test_the_storage_tells_its_time(journal, clock):
    clock.time = 1_234.5
    assert await journal.now() == 1_234.5


async def test_payloads_are_kept_once_whoever_brings_them(journal):
    await journal.accept(new_task(), record(), payloads=[Payload("a", b"1"), Payload("a", b"1"), Payload("b", b"")])
    claim = await journal.claim("t1", "driver")
    await journal.put("t1", record(), payloads=iter([Payload("c", b"\x00\xff")]))
    await journal.append(claim, [], WORKING, payloads=iter([Payload("a", b"another"), Payload("d", b"4")]))
    asked = iter(["a", "b", "c", "d", "unknown", "a"])
    assert await journal.payloads(asked) == {"a": b"1", "b": b"", "c": b"\x00\xff", "d": b"4"}


async def test_any_number_of_payloads_can_be_asked_for(journal):
    stored = {f"{n:064x}": str(n).encode() for n in range(1_234)}
    await journal.accept(new_task(), record(), payloads=[Payload(digest, body) for digest, body in stored.items()])
    assert await journal.payloads(stored) == stored
    assert await journal.payloads([]) == {}


# --- listing ----------------------------------------------------------------------------------------------


ALL = TaskFilter()


async def listed(journal, query: TaskFilter = ALL, scope: Scope = ALICE) -> list[str]:
    ids: list[str] = []
    while True:
        page = await journal.tasks(scope, query)
        ids += [head.task_id for head in page.heads]
        if not page.next_page_token:
            assert len(ids) == page.total_size
            return ids
        assert len(page.heads) == query.page_size
        query = replace(query, page_token=page.next_page_token)


@pytest.fixture
async def eight(journal):
    """Eight tasks, two for each time, in two contexts and two states."""
    for n in range(8):
        claim = await claimed(journal, f"t{n}", context=f"c{n % 2}", at=float(n))
        state = "working" if n < 3 else "completed"
        await journal.append(claim, [], replace(WORKING, state=state, status_at=100.1 + n // 2))
    return journal


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8, 50])
async def test_pages_list_every_task_once_newest_status_first(eight, page_size):
    assert await listed(eight, TaskFilter(page_size=page_size)) == ["t6", "t7", "t4", "t5", "t2", "t3", "t0", "t1"]


@pytest.mark.parametrize("page_size", [1, 50])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (TaskFilter(context_id="c0"), ["t6", "t4", "t2", "t0"]),
        (TaskFilter(state="working"), ["t2", "t0", "t1"]),
        (TaskFilter(status_after=102.1), ["t6", "t7", "t4", "t5"]),
        (TaskFilter(status_after=102.2), ["t6", "t7"]),
        (TaskFilter(context_id="c1", state="completed", status_after=102.1), ["t7", "t5"]),
        (TaskFilter(context_id=""), []),
        (TaskFilter(state="canceled"), []),
    ],
)
async def test_filters_narrow_the_listing(eight, query, expected, page_size):
    assert await listed(eight, replace(query, page_size=page_size)) == expected


async def test_a_listing_shows_whole_heads(eight):
    [first, *_] = (await eight.tasks(ALICE, TaskFilter())).heads
    assert first == await eight.head("t6")


async def test_nothing_of_one_scope_is_listed_or_found_in_another(journal):
    scopes = [ALICE, BOB, Scope("alice", "north"), Scope("north", "alice")]
    for n, scope in enumerate(scopes):
        await accepted(journal, f"t{n}", scope=scope)
    for n, scope in enumerate(scopes):
        assert await listed(journal, scope=scope) == [f"t{n}"]
        assert await journal.find(scope, "t", limit=9) == (f"t{n}",)


async def test_a_task_that_moves_to_the_front_is_not_missed_by_the_pages_behind(eight):
    page = await eight.tasks(ALICE, TaskFilter(page_size=3))
    claim = await eight.claim("t0", "driver")
    await eight.append(claim, [], replace(WORKING, status_at=999.0))
    rest = await eight.tasks(ALICE, TaskFilter(page_token=page.next_page_token))
    assert [head.task_id for head in rest.heads] == ["t5", "t2", "t3", "t1"]


async def test_a_token_is_good_for_another_page_size_but_not_for_other_filters(eight):
    token = (await eight.tasks(ALICE, TaskFilter(page_size=3))).next_page_token
    assert len((await eight.tasks(ALICE, TaskFilter(page_size=2, page_token=token))).heads) == 2
    for query in (TaskFilter(context_id="c0"), TaskFilter(state="working"), TaskFilter(status_after=0.0)):
        with pytest.raises(BadPageToken):
            await eight.tasks(ALICE, replace(query, page_token=token))
    with pytest.raises(BadPageToken):
        await eight.tasks(BOB, TaskFilter(page_token=token))


@pytest.mark.parametrize("token", ["x", "1", "!!!!", "ü", "AAAA", "Og", "Ojo", "OjB4MXA5OTk5Og", "Om5hbjo", "a b"])
async def test_a_token_that_was_not_made_here_is_refused(journal, token):
    with pytest.raises(BadPageToken):
        await journal.tasks(ALICE, TaskFilter(page_token=token))


@pytest.mark.parametrize("change", ["{0:.5}", "{0}A", "{0}=", "A{0}", " {0}", "{0}\n", "{0}{0}"])
async def test_a_token_that_was_changed_is_refused(eight, change):
    token = (await eight.tasks(ALICE, TaskFilter(page_size=3))).next_page_token
    with pytest.raises(BadPageToken):
        await eight.tasks(ALICE, TaskFilter(page_token=change.format(token)))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("ab", ("ab%1", "ab12")),
        ("ab1", ("ab12", "ab1_")),
        ("ab%", ("ab%1",)),
        ("ab_", ()),
        ("%", ()),
        ("AB", ("AB12",)),
        ("", ("AB12", "ab%1")),
        ("ab12", ("ab12",)),
        ("ab123", ()),
        ("ü", ("ü1",)),
        ("\U0010ffff", ()),
    ],
)
async def test_tasks_are_found_by_the_beginning_of_their_id(journal, prefix, expected):
    for task_id in ("ab12", "ab1_", "ab%1", "AB12", "ac", "ü1"):
        await accepted(journal, task_id)
    assert await journal.find(ALICE, prefix) == expected


async def test_as_many_are_found_as_asked_for(journal):
    for n in range(5):
        await accepted(journal, f"t{n}")
    assert await journal.find(ALICE, "t", limit=3) == ("t0", "t1", "t2")


# --- hints ------------------------------------------------------------------------------------------------

NEVER = 60.0


async def test_accept_put_and_append_wake_the_subscribers_of_that_task(journal):
    async with journal.subscribe("t1") as one, journal.subscribe("t1") as other:
        claim = await claimed(journal)
        await one.wait(NEVER)
        await journal.put("t1", record())
        await one.wait(NEVER)
        await journal.append(claim, [record()], WORKING)
        await one.wait(NEVER)
        await other.wait(NEVER)


async def test_a_waiting_subscriber_is_woken(journal):
    await accepted(journal)
    async with journal.subscribe("t1") as subscription, asyncio.TaskGroup() as group:
        waiting = group.create_task(subscription.wait(NEVER))
        await asyncio.sleep(0)
        assert not waiting.done()
        await journal.put("t1", record())


async def test_what_is_committed_can_be_read_at_the_hint(journal):
    claim = await claimed(journal)
    async with journal.subscribe("t1") as subscription, asyncio.TaskGroup() as group:
        group.create_task(journal.append(claim, [record("new")], WORKING))
        await subscription.wait(NEVER)
        assert await bodies(journal) == ["accepted", "new"]


async def test_a_wait_without_a_hint_ends(journal):
    async with journal.subscribe("t1") as subscription:
        await subscription.wait(0.0)
        await subscription.wait(0.001)


async def test_a_hint_is_used_up_by_one_wait(journal):
    async with journal.subscribe("t1") as subscription:
        await accepted(journal)
        await subscription.wait(NEVER)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await subscription.wait(NEVER)


async def test_other_tasks_and_refused_writes_give_no_hint(journal):
    lost = await claimed(journal)
    await journal.claim("t1", "somebody else")
    async with journal.subscribe("t1") as subscription:
        await accepted(journal, "t2")
        with pytest.raises(ClaimLost):
            await journal.append(lost, [record()], WORKING)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await subscription.wait(NEVER)


async def test_subscribers_are_forgotten_when_they_leave(journal):
    async with journal.subscribe("t1"):
        async with journal.subscribe("t1"):
            pass
        assert list(journal._signals._receivers) == ["t1"]
    assert not journal._signals._receivers


async def test_reading_stops_where_asked_to(journal):
    claim = await claimed(journal)
    await journal.append(claim, [record(body) for body in "abc"], WORKING)
    assert [entry.record.body for entry in await journal.read("t1", limit=1)] == ["accepted"]
    assert [entry.record.body for entry in await journal.read("t1", 1, limit=2)] == ["a", "b"]
    assert [entry.record.body for entry in await journal.read("t1", 3, limit=2)] == ["c"]
    assert await journal.read("t1", limit=0) == ()


# --- prune ------------------------------------------------------------------------------------------------

LONG_AGO = float("-inf")
ANY_TIME = float("inf")


async def closed(journal, task_id, *, at=1_000.0, payloads=()):
    claim = await claimed(journal, task_id)
    await journal.append(claim, [record("end")], replace(CLOSED, status_at=at), payloads=payloads)


async def test_only_what_closed_before_is_pruned_with_all_its_facts(journal):
    await closed(journal, "old", at=10.0)
    await closed(journal, "new", at=20.0)
    assert await journal.prune(closed_before=20.0, keys_before=LONG_AGO) == Pruned(coordinations=1)
    assert (await journal.head("old"), await journal.final("old"), await bodies(journal, "old")) == (None, None, [])
    assert await bodies(journal, "new") == ["accepted", "end"]
    assert [head.task_id for head in (await journal.tasks(ALICE, TaskFilter())).heads] == ["new"]
    with pytest.raises(UnknownTask):
        await journal.put("old", record())
    assert await journal.prune(closed_before=20.0, keys_before=LONG_AGO) == Pruned()


@pytest.mark.parametrize("change", [WORKING, PARKED], ids=["working", "parked"])
async def test_what_is_not_closed_is_never_pruned(journal, change):
    claim = await claimed(journal)
    await journal.append(claim, [record("a")], change, payloads=[Payload("d", b"1")])
    await journal.put("t1", record("later"))
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO) == Pruned()
    assert await bodies(journal) == ["accepted", "a"]
    assert await inbox_bodies(journal) == ["later"]
    assert await journal.payloads(["d"]) == {"d": b"1"}


async def test_the_oldest_are_pruned_first_and_as_many_as_asked_for(journal):
    for number, task_id in enumerate(("c", "a", "b")):
        await closed(journal, task_id, at=float(number))
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO, limit=2) == Pruned(coordinations=2)
    assert await journal.find(ALICE, "", limit=9) == ("b",)
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO, limit=2) == Pruned(coordinations=1)


async def test_a_payload_goes_with_the_last_coordination_that_brought_it(journal):
    shared, own = Payload("shared", b"s"), Payload("own", b"o")
    await closed(journal, "first", at=1.0, payloads=[shared, own])
    await closed(journal, "second", at=2.0, payloads=[shared])
    await journal.accept(new_task("open"), record("accepted"), payloads=[shared])
    assert await journal.prune(closed_before=1.5, keys_before=LONG_AGO) == Pruned(coordinations=1, payloads=1)
    assert await journal.payloads(["shared", "own"]) == {"shared": b"s"}
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO) == Pruned(coordinations=1)
    assert await journal.payloads(["shared"]) == {"shared": b"s"}
    await journal.append(await journal.claim("open", "driver"), [record("end")], CLOSED)
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO) == Pruned(coordinations=1, payloads=1)
    assert await journal.payloads(["shared"]) == {}


async def test_a_payload_that_came_by_the_inbox_is_kept_with_its_task(journal):
    await accepted(journal)
    await journal.put("t1", record(), payloads=[Payload("d", b"1")])
    await closed(journal, "other", payloads=[Payload("d", b"1")])
    assert await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO) == Pruned(coordinations=1)
    assert await journal.payloads(["d"]) == {"d": b"1"}


async def test_a_payload_brought_again_after_it_was_pruned_is_there_again(journal):
    await closed(journal, "t1", payloads=[Payload("d", b"1")])
    await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO)
    await closed(journal, "t1", payloads=[Payload("d", b"1")])
    assert await journal.payloads(["d"]) == {"d": b"1"}


async def test_old_keys_are_forgotten_and_their_tasks_stay(journal, clock):
    await journal.accept(new_task("old"), record("accepted"), key="old")
    clock.time += 100.0
    await journal.accept(new_task("new"), record("accepted"), key="new")
    assert await journal.prune(closed_before=LONG_AGO, keys_before=clock.time) == Pruned(keys=1)
    assert await journal.accept(new_task("t3"), record(), key="old") == Acceptance("t3", created=True)
    assert await journal.accept(new_task("t4"), record(), key="new") == Acceptance("new", created=False)
    assert await bodies(journal, "old") == ["accepted"]


async def test_a_key_goes_with_its_task(journal):
    await journal.accept(new_task("t1"), record("accepted"), key="k")
    await journal.append(await journal.claim("t1", "driver"), [record("end")], CLOSED)
    await journal.prune(closed_before=ANY_TIME, keys_before=LONG_AGO)
    assert await journal.accept(new_task("t2"), record(), key="k") == Acceptance("t2", created=True)


async def test_a_key_that_goes_with_its_task_is_not_counted_once_more(journal):
    await journal.accept(new_task("t1"), record("accepted"), key="k")
    await journal.append(await journal.claim("t1", "driver"), [record("end")], CLOSED)
    assert await journal.prune(closed_before=ANY_TIME, keys_before=ANY_TIME) == Pruned(coordinations=1)


async def test_what_was_put_is_recognised_as_long_as_its_task_is_there(journal):
    claim = await claimed(journal)
    await journal.put("t1", record("answer"), key="k")
    assert await journal.prune(closed_before=LONG_AGO, keys_before=ANY_TIME) == Pruned()
    assert await inbox_bodies(journal) == ["answer"]
    (item,) = await journal.inbox("t1")
    await journal.append(claim, [], CLOSED, consumed=[item.number])
    assert await journal.prune(closed_before=LONG_AGO, keys_before=ANY_TIME) == Pruned()
    assert await journal.put("t1", record("answer"), key="k") is False


# --- closing ----------------------------------------------------------------------------------------------


async def test_a_closed_journal_refuses_everything_and_closes_again(journal):
    claim = await claimed(journal)
    await journal.close()
    await journal.close()
    for call in (
        lambda: journal.accept(new_task("t2"), record()),
        lambda: journal.put("t1", record()),
        lambda: journal.claim("t1", "driver"),
        lambda: journal.append(claim, [], WORKING),
        lambda: journal.inbox("t1"),
        lambda: journal.read("t1"),
        lambda: journal.head("t1"),
        lambda: journal.final("t1"),
        lambda: journal.due(0.0),
        journal.next_wake,
        lambda: journal.tasks(ALICE, TaskFilter()),
        lambda: journal.find(ALICE, "t"),
        lambda: journal.payloads(["d"]),
    ):
        with pytest.raises(JournalUnavailable, match="closed"):
            await call()


async def test_an_id_with_a_nul_is_nobodys(journal):
    await accepted(journal)
    assert await journal.head("t1\0") is None
    assert await journal.tasks(ALICE, TaskFilter(context_id="c1\0")) == TaskPage((), "", 0)
