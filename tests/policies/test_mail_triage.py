"""The plan mail-triage with the real agents over sockets: split into batches, merged into one queue."""

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from coordinator import testing
from coordinator.cli.mails import mail_parts, pack_mails
from coordinator.cli.members import SAMPLE, free_ports
from coordinator.core.model import Part
from coordinator.wire import content_in
from specialist_agents.cards import at_address, read_card
from specialist_agents.testing import running
from specialist_agents.workshop import Limits
from tests.mails.files import pdf
from tests.mails.network import OTHERS, mail_agents, plan, write_card
from tests.mails.queues import items_in, queue_in
from tests.policies.rig import coordinating
from tests.specialists.mails import with_files

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
    readers = {one["item"]["kind"]: one["sources"][0]["agent"] for one in items_in(answer.task, "attachments")}
    assert (
        readers.items()
        <= {"text": "read-text", "table": "read-table", "pdf": "read-pdf", "unread": "read-other"}.items()
    )


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


def a_mail(name, *attached):
    return Part("raw", with_files(*attached), "message/rfc822", name)


MIXED = (
    ("prices.csv", "application/octet-stream", b"article;price\nnut;1,50\n"),
    ("letter.pdf", "application/pdf", pdf("first page", "second page")),
    ("notes.txt", "text/plain", b"call back"),
    ("photo.zip", "application/zip", b"PK"),
    ("broken.pdf", "application/pdf", b"no pdf"),
)


async def with_agents(folder, *names, sent, dead=()):
    """Return the answer of a coordinator in front of these mail agents, some of them dead."""
    document = plan()
    for stage in document["stages"].values():
        stage["on_failure"]["retry"]["backoff"] = "1ms..1ms"
    async with AsyncExitStack() as stack:
        for name, port in zip(names, free_ports(len(names)), strict=True):
            alive = name not in dead
            url = await stack.enter_async_context(running(name)) if alive else f"http://127.0.0.1:{port}/"
            write_card(at_address(read_card(name), url), folder / "cards")
        nobody = await stack.enter_async_context(testing.fleet([]))
        coordinator = await stack.enter_async_context(
            coordinating(folder, nobody, document, agents=(str(folder / "cards"),))
        )
        return await coordinator.ask(*sent)


ALL = ("triage", *OTHERS)


async def test_each_attachment_is_read_by_the_agent_for_its_type_and_the_feed_is_one(tmp_path):
    mails = [a_mail("a.eml", *MIXED), a_mail("b.eml"), a_mail("c.eml", *MIXED[2:3])]
    answer = await with_agents(tmp_path, *ALL, sent=mails)
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
    told = [
        (one["item"]["mail"], one["item"]["filename"], one["item"]["kind"], one["sources"][0]["agent"])
        for one in items_in(answer.task, "attachments")
    ]
    assert told == [
        ("a.eml", "prices.csv", "table", "read-table"),
        ("a.eml", "letter.pdf", "pdf", "read-pdf"),
        ("a.eml", "notes.txt", "text", "read-text"),
        ("a.eml", "photo.zip", "unread", "read-other"),
        ("a.eml", "broken.pdf", "unread", "read-pdf"),
        ("c.eml", "notes.txt", "text", "read-text"),
    ]
    feed = feed_in(answer.task)
    assert feed[0]["rows"] == [["article", "price"], ["nut", "1,50"]]
    assert feed[1]["pages"] == ["first page", "second page"]
    assert feed[3]["problem"] == "nobody here reads files of this type"
    assert feed[4]["problem"].startswith("it cannot be read as a PDF")


async def test_mails_without_attachments_make_a_whole_queue_and_an_empty_feed(tmp_path):
    answer = await with_agents(tmp_path, *ALL, sent=[a_mail("b.eml")])
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
    assert [mail for mail, _ in queue_in(answer.task)] == ["b.eml"]
    assert feed_in(answer.task) == []


@pytest.mark.parametrize(("dead", "left"), [("attachments", set()), ("read-pdf", {"table", "text", "unread"})])
async def test_without_who_unpacks_or_reads_the_queue_is_there_and_labelled_partial(tmp_path, dead, left):
    answer = await with_agents(tmp_path, *ALL, sent=[a_mail("a.eml", *MIXED)], dead={dead})
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert [mail for mail, _ in queue_in(answer.task)] == ["a.eml"]
    assert {entry["kind"] for entry in feed_in(answer.task)} == left
    missing = [branch["agent"] for branch in answer.branches.values() if branch["outcome"] != "succeeded"]
    assert missing == [dead]


async def test_a_type_no_card_lists_at_all_is_refused_by_name_instead_of_dropped(tmp_path):
    answer = await with_agents(tmp_path, *ALL[:-1], sent=[a_mail("a.eml", *MIXED)])
    assert answer.state == "FAILED"
    assert "no agent's card lists the type of a.eml/" in answer.reason
    assert "photo.zip (application/zip)" in answer.reason
