"""A journal in a database does what the one in memory does, whatever is asked of them in whatever order."""

import asyncio
import tempfile
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coordinator.errors import CoordinatorError
from coordinator.journal import (
    Claim,
    HeadChange,
    MemoryJournal,
    NewTask,
    Payload,
    Record,
    Scope,
    SqlJournal,
    Status,
    TaskFilter,
)
from tests.journal.builders import SetClock
from tests.postgres import Postgres

task_ids = st.sampled_from(["a1", "a2", "b1", "%"])
keys = st.sampled_from(["", "", "k1", "k2"])
scopes = st.sampled_from([Scope("alice"), Scope("bob", "north")])
contexts = st.sampled_from(["c1", "c2"])
states = st.sampled_from(["submitted", "working", "completed"])
times = st.sampled_from([0.1, 1.0, 2.5, 1_000.0])
# JSON has no NUL in it, and PostgreSQL takes none.
records = st.builds(
    Record,
    st.sampled_from(["A", "B"]),
    st.integers(1, 3),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
payloads = st.lists(st.builds(Payload, st.sampled_from(["p", "q"]), st.binary(max_size=3)), max_size=2)
changes = st.builds(
    HeadChange,
    states,
    st.sampled_from(Status),
    times,
    st.none() | times,
    st.none() | st.binary(max_size=3),
    st.booleans(),
)
filters = st.builds(
    TaskFilter,
    context_id=st.none() | contexts,
    state=st.none() | states,
    status_after=st.none() | times,
    page_size=st.integers(1, 3),
)


class BothJournals(RuleBasedStateMachine):
    """Asks both the same, and compares answers and errors."""

    def place(self) -> str:
        """Return where the journal in a database is."""
        return self.opened.enter_context(tempfile.TemporaryDirectory()) + "/journal.db"

    @initialize()
    def begin(self) -> None:
        self.clock = SetClock()
        self.opened = ExitStack()
        self.where = self.place()
        self.runner = asyncio.Runner()
        self.memory = MemoryJournal(self.clock)
        self.stored = self.runner.run(SqlJournal.open(self.where, now=self.clock))
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        if hasattr(self, "stored"):
            self.runner.run(self.stored.close())
            self.runner.close()
            self.opened.close()

    def both(self, ask):
        ours, theirs = (self.runner.run(self.answer(ask, journal)) for journal in (self.stored, self.memory))
        assert ours == theirs
        return ours

    @staticmethod
    async def answer(ask, journal):
        try:
            return await ask(journal)
        except CoordinatorError as error:
            return type(error)

    @rule(
        task_id=task_ids,
        scope=scopes,
        context=contexts,
        state=states,
        at=times,
        record=records,
        key=keys,
        brought=payloads,
    )
    def accept(self, task_id, scope, context, state, at, record, key, brought):
        task = NewTask(task_id, context, scope, "plan", state, at)
        self.both(lambda journal: journal.accept(task, record, key=key, payloads=brought))

    @rule(task_id=task_ids, record=records, key=keys, brought=payloads)
    def put(self, task_id, record, key, brought):
        self.both(lambda journal: journal.put(task_id, record, key=key, payloads=brought))

    @rule(task_id=task_ids)
    def claim(self, task_id):
        claim = self.both(lambda journal: journal.claim(task_id, "driver"))
        if claim:
            self.claims.append(claim)

    @rule(
        pick=st.integers(0, 2),
        added=st.lists(records, max_size=3),
        change=changes,
        consumed=st.sets(st.integers(0, 2)),
        brought=payloads,
    )
    def append(self, pick, added, change, consumed, brought):
        if len(self.claims) <= pick:
            return
        claim = self.claims[-1 - pick]

        async def append(journal):
            # The numbers of the items are each journal's own.
            items = await journal.inbox(claim.task_id)
            numbers = [item.number for place, item in enumerate(items) if place in consumed]
            return await journal.append(claim, added, change, consumed=numbers, payloads=brought)

        after = self.both(append)
        if isinstance(after, Claim):
            self.claims.append(after)

    @rule(seconds=st.sampled_from([0.5, 300.0, 600.0]))
    def wait(self, seconds):
        self.clock.time += seconds

    @rule(scope=scopes, query=filters)
    def list_tasks(self, scope, query):
        page = self.both(lambda journal: journal.tasks(scope, query))
        while page.next_page_token:
            following = replace(query, page_token=page.next_page_token)
            page = self.both(lambda journal, following=following: journal.tasks(scope, following))

    @rule(scope=scopes, prefix=st.sampled_from(["", "a", "a1", "%", "_"]), limit=st.integers(0, 3))
    def find(self, scope, prefix, limit):
        self.both(lambda journal: journal.find(scope, prefix, limit))

    @rule(closed_before=times, age=st.sampled_from([0.0, 400.0]), limit=st.integers(1, 3))
    def prune(self, closed_before, age, limit):
        keys_before = self.clock.time - age
        self.both(lambda journal: journal.prune(closed_before=closed_before, keys_before=keys_before, limit=limit))

    @rule()
    def reopen(self):
        self.runner.run(self.stored.close())
        self.stored = self.runner.run(SqlJournal.open(self.where, now=self.clock))

    @invariant()
    def everything_can_be_read_alike(self):
        if not hasattr(self, "stored"):
            return

        async def everything(journal):
            now = self.clock.time
            return (
                [
                    await look(task_id)
                    for task_id in ("a1", "a2", "b1", "%")
                    for look in (journal.head, journal.read, journal.final)
                ],
                [[item.record for item in await journal.inbox(task_id)] for task_id in ("a1", "a2", "b1", "%")],
                await journal.due(now),
                await journal.next_wake(),
                await journal.payloads(["p", "q"]),
            )

        self.both(everything)


BothJournals.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_both_journals_answer_alike = BothJournals.TestCase


class OnPostgres(BothJournals):
    """The same, on a server the test brings."""

    server: Postgres

    def place(self) -> str:
        return self.opened.enter_context(self.server.database())


OnPostgres.TestCase.settings = settings(BothJournals.TestCase.settings, max_examples=8)


@pytest.mark.usefixtures("_served")
class TestOnPostgres(OnPostgres.TestCase):
    pass


@pytest.fixture(scope="class")
def _served(postgres_server):
    OnPostgres.server = postgres_server
