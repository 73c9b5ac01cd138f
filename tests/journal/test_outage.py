"""Waiting for a database that is away: nothing is written twice, nothing is given up."""

import pytest

from coordinator.errors import ClaimLost, JournalClosed, JournalUnavailable
from coordinator.journal import outage
from tests.journal.away import AwayJournal
from tests.journal.builders import CLOSED, WORKING, accepted, bodies, claimed, record


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(outage, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(outage, "MOST_PAUSE_S", 0.0)


async def test_an_answer_is_waited_for_as_long_as_the_database_is_away():
    asked = []

    async def ask():
        asked.append(1)
        if len(asked) < 5:
            raise JournalUnavailable
        return "there"

    assert await outage.outlast(ask) == "there"
    assert len(asked) == 5


async def test_a_journal_that_is_closed_is_not_waited_for(journal):
    await journal.close()
    with pytest.raises(JournalClosed):
        await outage.outlast(lambda: journal.head("t1"))


class Failing(AwayJournal):
    """Fails the first append, before or after it was done."""

    def __init__(self, inner, *, is_written):
        super().__init__(inner)
        self.is_written = is_written

    async def append(self, *args, **kwargs):
        if self.refused:
            return await self.inner.append(*args, **kwargs)
        self.refused.append("append")
        if self.is_written:
            await self.inner.append(*args, **kwargs)
        raise JournalUnavailable


@pytest.mark.parametrize("is_written", [False, True], ids=["not written", "written all the same"])
@pytest.mark.parametrize("change", [WORKING, CLOSED], ids=["open", "closed"])
async def test_what_is_appended_again_stands_there_once(journal, is_written, change):
    claim = await claimed(journal)
    failing = Failing(journal, is_written=is_written)
    after = await outage.append(failing, claim, [record("a"), record("b")], change)
    assert await bodies(journal) == ["accepted", "a", "b"]
    head = await journal.head("t1")
    assert (after.epoch, after.seq) == (head.epoch, head.seq)
    if change is WORKING:
        await journal.append(after, [record("c")], WORKING)


async def test_a_claim_lost_meanwhile_stays_lost(journal):
    claim = await claimed(journal)
    other = await journal.claim("t1", "other")
    await journal.append(other, [record("theirs"), record("theirs")], WORKING)
    failing = Failing(journal, is_written=False)
    with pytest.raises(ClaimLost):
        await outage.append(failing, claim, [record("a"), record("b")], WORKING)
    assert await bodies(journal) == ["accepted", "theirs", "theirs"]


async def test_a_claim_that_was_lost_before_is_not_asked_about(journal):
    claim = await claimed(journal)
    await journal.append(claim, [record("a")], WORKING)
    with pytest.raises(ClaimLost):
        await outage.append(journal, claim, [record("a")], WORKING)
    assert await bodies(journal) == ["accepted", "a"]


async def test_a_claim_of_ours_that_was_made_without_an_answer_is_ours(journal):
    """Its name and the epoch tell: the writer may have been told of a failure that nobody else heard of."""
    await accepted(journal)
    made = await journal.claim("t1", "a", after=0)
    assert await outage.claim(journal, "t1", "a", 0) == made
    with pytest.raises(ClaimLost):
        await outage.claim(journal, "t1", "b", 0)
    assert (await journal.head("t1")).epoch == 1
