"""The plan mail-triage with the real agents over sockets: split into batches, merged into one queue."""

from collections import Counter
from dataclasses import replace

import pytest

from coordinator import testing
from coordinator.cli.mails import mail_parts, pack_mails
from coordinator.cli.members import SAMPLE
from coordinator.wire import content_in
from specialist_agents.workshop import Limits
from tests.mails.network import mail_agents, plan
from tests.mails.queues import items_in, queue_in
from tests.policies.rig import coordinating

LEVELS = ["critical", "high", "normal", "low"]


def parts(first=None):
    return [content_in(part) for part in mail_parts(pack_mails(SAMPLE / "mails.mbox", first))]


def feed_in(task):
    return [one["item"] for one in items_in(task, "attachments")]


async def triaged(folder, agents, sent, **limits):
    """Return the answer of a coordinator in front of so many triage agents."""
    async with (
        mail_agents(folder / "cards", agents, Limits(**limits)) as cards,
        testing.fleet([]) as nobody,
        coordinating(folder, nobody, plan(), agents=(str(cards),)) as coordinator,
    ):
        return await coordinator.ask(*sent)


@pytest.mark.timeout(240)
async def test_one_agent_and_ten_make_the_same_queue_with_every_mail_exactly_once(tmp_path):
    one = await triaged(tmp_path / "one", 1, parts(), pause_s=0.05, concurrent=2)
    ten = await triaged(tmp_path / "ten", 10, parts(), pause_s=0.05, concurrent=2)
    assert (one.state, ten.state) == ("COMPLETED", "COMPLETED")
    queue = queue_in(ten.task)
    assert queue == queue_in(one.task)
    assert Counter(mail for mail, _ in queue) == {f"{number:04}.eml": 1 for number in range(1, 201)}
    agents = {source["agent"] for item in items_in(ten.task, "queue") for source in item["sources"]}
    assert agents == {f"triage-{number:02}" for number in range(1, 11)}
    assert feed_in(one.task) == feed_in(ten.task)


async def test_the_queue_is_by_urgency_and_in_the_mails_order_among_equals(tmp_path):
    answer = await triaged(tmp_path, 3, parts(60))
    queue = queue_in(answer.task)
    assert queue == sorted(queue, key=lambda mail: (LEVELS.index(mail[1]), mail[0]))
    assert {urgency for _, urgency in queue} == set(LEVELS)


async def test_the_feed_of_attachments_stands_beside_the_queue(tmp_path):
    answer = await triaged(tmp_path, 2, parts(20))
    assert [artifact.name for artifact in answer.task.artifacts] == ["queue", "attachments"]
    mails = {item["item"]["mail"] for item in items_in(answer.task, "queue") if item["item"].get("attachments")}
    feed = feed_in(answer.task)
    assert mails
    assert mails == {item["mail"] for item in feed}
    assert feed == sorted(feed, key=lambda item: (item["mail"], item["number"]))


async def test_two_mails_that_are_the_same_are_both_in_the_queue(tmp_path):
    first = parts(1)[0]
    copies = [replace(first, filename=name) for name in ("a.eml", "b.eml")]
    answer = await triaged(tmp_path, 1, [first, *copies])
    assert [mail for mail, _ in queue_in(answer.task)] == ["0001.eml", "a.eml", "b.eml"]


async def test_without_the_agents_the_plan_is_refused_before_anything_is_sent(tmp_path):
    async with testing.fleet(["ada"]) as fleet, coordinating(tmp_path, fleet, plan()) as coordinator:
        answer = await coordinator.ask(*parts(1))
        assert "no agent has the skill mail-" in answer.refusal
        assert fleet.counts.sends == 0
