"""Letters from a template and a table, sent over SMTP to a stand-in: nobody gets two, everybody is accounted for."""

import json
from collections import Counter
from contextlib import asynccontextmanager
from uuid import uuid4

import jsonschema_rs
import pytest
from a2a.types.a2a_pb2 import Message, Part, Role, TaskState
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

from coordinator import testing
from specialist_agents.cards import CARDS
from specialist_agents.mailing.executor import SendingExecutor
from specialist_agents.mailing.ledger import Ledger, Outcome
from specialist_agents.mailing.post import Server
from specialist_agents.office import letters
from specialist_agents.office.texts import File, Unusable
from specialist_agents.testing import connected, running, send, task_of
from specialist_agents.trades import OFFICE
from tests.office.rig import Postbox, document, entries, mail_server, office
from tests.office.samples import TEMPLATE, customers

SCHEMA = json.loads((CARDS / OFFICE["mailer"].trade.schema).read_text(encoding="utf-8"))
SPRING = {"parameters": {"campaign": "spring"}}
SENDING = {"parameters": {"campaign": "spring", "send": "yes"}}


def desk(table):
    return [document("template.txt", TEMPLATE), document("customers.csv", table, "text/csv")]


@asynccontextmanager
async def at_work(tmp_path, monkeypatch, postbox, plan="campaign", agents=("letters", "mailer"), strangers=()):
    """Serve the office with a mailer that hands mails to *postbox*."""
    async with mail_server(postbox) as url:
        monkeypatch.setenv("MAILER_SMTP", url)
        monkeypatch.setenv("MAILER_FROM", "office@sender.example")
        monkeypatch.setenv("MAILER_LEDGER", str(tmp_path / "ledger.db"))
        async with office(tmp_path, plan, agents, strangers) as coordinator:
            yield coordinator


async def test_a_campaign_reaches_everybody_once_and_reports_what_became_of_each(tmp_path, monkeypatch):
    postbox = Postbox({"customer7@shop.example": "550 no such user", "customer9@shop.example": "451 try later"})
    table = customers(
        45, ("46", "Nobody", "not an address", "pump", "Monday"), ("47", "No Day", "x@shop.example", "pump", "")
    )
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        answer = await coordinator.ask(*desk(table), asked=SENDING)
    assert answer.state == "COMPLETED"
    report = {item["id"]: item for item in entries(answer)}
    assert Counter(item["outcome"] for item in report.values()) == {
        "delivered": 43,
        "refused": 1,
        "deferred": 1,
        "not-sent": 2,
    }
    assert report["7"] | {"severity": "", "confidence": 0} == {
        "id": "7",
        "to": "customer7@shop.example",
        "campaign": "spring",
        "outcome": "refused",
        "code": 550,
        "said": "no such user",
        "severity": "",
        "confidence": 0,
    }
    assert report["47"]["said"] == "nothing is known for: day"
    assert [item["outcome"] for item in entries(answer)][:4] == ["refused", "deferred", "not-sent", "not-sent"]
    assert Counter(postbox.addresses) == Counter(
        f"customer{number}@shop.example" for number in range(1, 46) if number not in {7, 9}
    )
    assert len([branch for branch in answer.branches if branch.startswith("send/")]) == 3


async def test_every_letter_is_personal(tmp_path, monkeypatch):
    postbox = Postbox()
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        await coordinator.ask(*desk(customers(2)), asked=SENDING)
    told = {to: (mail["Subject"], mail["From"], mail.get_payload().splitlines()[0]) for to, mail in postbox.taken}
    assert told == {
        f"customer{number}@shop.example": (
            f"Your question about pump {number}",
            "office@sender.example",
            f"Dear Customer {number},",
        )
        for number in (1, 2)
    }
    assert len({mail["Message-ID"] for _, mail in postbox.taken}) == 2


async def test_unless_it_is_told_to_send_nothing_leaves_the_house(tmp_path, monkeypatch):
    postbox = Postbox()
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        answer = await coordinator.ask(*desk(customers(3)), asked=SPRING)
    assert [item["outcome"] for item in entries(answer)] == ["dry-run"] * 3
    assert postbox.taken == []


async def test_the_same_campaign_again_sends_only_what_was_deferred(tmp_path, monkeypatch):
    postbox = Postbox({"customer1@shop.example": "550 no", "customer2@shop.example": "451 later"})
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        await coordinator.ask(*desk(customers(4)), asked=SENDING)
        postbox.says.clear()
        again = await coordinator.ask(*desk(customers(5)), asked=SENDING)
    assert {item["id"]: (item["outcome"], item.get("earlier", False)) for item in entries(again)} == {
        "1": ("refused", True),
        "2": ("delivered", False),
        "3": ("delivered", True),
        "4": ("delivered", True),
        "5": ("delivered", False),
    }
    assert Counter(postbox.addresses).most_common(1)[0][1] == 1


async def test_a_mail_that_may_have_arrived_is_never_sent_again(tmp_path, monkeypatch):
    postbox = Postbox()
    postbox.after["customer1@shop.example"] = ""  # it hangs up when it has the whole mail
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        first = await coordinator.ask(*desk(customers(1)), asked=SENDING)
        postbox.after.clear()
        again = await coordinator.ask(*desk(customers(1)), asked=SENDING)
    assert [item["outcome"] for answer in (first, again) for item in entries(answer)] == ["unknown", "unknown"]
    assert postbox.taken == []


async def test_the_report_tells_what_was_sent_when_another_mailer_does_nothing(tmp_path, monkeypatch):
    postbox = Postbox()
    refusing = testing.Specialist("other-mailer", testing.Behaviour(end="rejected"), skills=("mail-sending",))
    async with at_work(tmp_path, monkeypatch, postbox, strangers=[refusing]) as coordinator:
        answer = await coordinator.ask(*desk(customers(25)), asked=SENDING)
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert Counter(item["outcome"] for item in entries(answer)) == {"delivered": 20}
    assert [name for name, outcome in answer.outcomes.items() if outcome == "failed"] == ["send/2"]
    assert len(postbox.taken) == 20  # the other five are nobody's to send again by himself


async def test_a_mail_that_is_refused_as_a_whole_is_told_with_the_server_s_words(tmp_path, monkeypatch):
    postbox = Postbox()
    postbox.after["customer1@shop.example"] = "554 looks like spam"
    async with at_work(tmp_path, monkeypatch, postbox) as coordinator:
        answer = await coordinator.ask(*desk(customers(1)), asked=SENDING)
    (item,) = entries(answer)
    assert (item["outcome"], item["code"], item["said"]) == ("refused", 554, "looks like spam")


async def test_personal_replies_are_written_and_not_sent(tmp_path, monkeypatch):
    postbox = Postbox()
    async with at_work(tmp_path, monkeypatch, postbox, "replies", ["letters"]) as coordinator:
        answer = await coordinator.ask(*desk(customers(20)))
    written = answer.parts[0]["items"]
    assert [letter["subject"] for letter in written] == [f"Your question about pump {n}" for n in range(1, 21)]
    assert all(letter["body"].startswith(f"Dear Customer {number},") for number, letter in enumerate(written, start=1))
    assert postbox.taken == []


# -- the mailer by itself -------------------------------------------------------------------------


def letter(**changes):
    return {"id": "1", "to": "ada@shop.example", "subject": "Hi", "body": "Hello.", **changes}


def order(*items, words):
    data = Part(data=ParseDict({"items": list(items)}, Value()))
    return Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=[Part(text=words), data])


async def mailed(*items, words="campaign: one\nsend: yes"):
    """Return the mailer's task for these letters."""
    sent = order(*items, words=words)
    async with running("mailer") as url, connected(url) as client:
        tasks = [task_of(await send(client, sent)) for _ in range(2)]
    assert tasks[0].id == tasks[1].id  # the same message makes the same task
    for part in [part for artifact in tasks[0].artifacts for part in artifact.parts]:
        jsonschema_rs.validate(SCHEMA, MessageToDict(part.data))
    return tasks[0]


async def test_the_same_message_twice_is_one_task_and_one_mail(tmp_path, monkeypatch):
    postbox = Postbox()
    async with mail_server(postbox) as url:
        monkeypatch.setenv("MAILER_SMTP", url)
        monkeypatch.setenv("MAILER_FROM", "office@sender.example")
        monkeypatch.setenv("MAILER_LEDGER", str(tmp_path / "ledger.db"))
        task = await mailed(letter())
    assert task.status.message.parts[0].text == "1 delivered"
    assert postbox.addresses == ["ada@shop.example"]


async def test_without_a_configuration_the_mailer_does_dry_runs_and_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("MAILER_SMTP", raising=False)
    assert (await mailed(letter(), words="campaign: one")).status.state == TaskState.TASK_STATE_COMPLETED
    task = await mailed(letter())
    assert task.status.state == TaskState.TASK_STATE_REJECTED  # so nobody tries again
    assert "MAILER_SMTP" in task.status.message.parts[0].text


async def test_a_mail_server_nobody_reaches_fails_the_task_and_claims_nothing(tmp_path, monkeypatch):
    async with mail_server(Postbox()) as url:
        pass  # it is gone
    monkeypatch.setenv("MAILER_SMTP", url)
    monkeypatch.setenv("MAILER_FROM", "office@sender.example")
    monkeypatch.setenv("MAILER_LEDGER", str(tmp_path / "ledger.db"))
    task = await mailed(letter())
    assert "no connection to the mail server" in task.status.message.parts[0].text
    assert Ledger(tmp_path / "ledger.db").claim("one", "ada@shop.example") is None


@pytest.mark.parametrize(
    ("items", "words", "told"),
    [
        ([letter()], "send: yes", "campaign: NAME"),
        ([letter()], "campaign: a b", "campaign: NAME"),
        ([letter()], "campaign: one\nsend: maybe", "yes or no"),
        ([letter(subject="a\nBcc: eve@shop.example")], "campaign: one", "a subject of one line"),
        ([letter(body="")], "campaign: one", "a body"),
        ([letter(to=7)], "campaign: one", "texts id, to, subject and body"),
        ([], "campaign: one", "no letters"),
    ],
)
def test_a_wrong_order_is_refused_before_there_is_a_task(items, words, told):
    with pytest.raises(InvalidParamsError, match=told):
        SendingExecutor(None).judge(order(*items, words=words))


def test_a_ledger_lets_one_of_two_claim_a_mail_and_a_deferred_one_again(tmp_path):
    one, other = Ledger(tmp_path / "ledger.db"), Ledger(tmp_path / "ledger.db")
    assert one.claim("c", "A@shop.example") is None
    assert other.claim("c", "a@shop.example") == Outcome("unknown")
    one.settle("c", "a@shop.example", Outcome("deferred", 451, "later"))
    assert other.claim("c", "a@shop.example") is None
    assert other.claim("d", "a@shop.example") is None


def test_the_id_of_a_mail_follows_from_campaign_and_address():
    server = Server("smtp://x", "Office <office@sender.example>")
    ids = [server.mail(campaign, "a@b.example", "s", "b")["Message-ID"] for campaign in ("one", "one", "two")]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@sender.example>")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"t.txt": "Hello", "c.csv": "email\n"}, "begins with a line 'Subject: …'"),
        ({"t.txt": "Subject: costs $5\n\nx\n", "c.csv": "email\n"}, "stands for a field"),
        ({"t.txt": TEMPLATE}, "at least one table"),
        ({"t.txt": TEMPLATE, "u.txt": TEMPLATE, "c.csv": "email\n"}, "one template"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_with_the_reason(files, told):
    with pytest.raises(Unusable, match=told.replace("$", r"\$")):
        list(letters.items_of([File(name, text.encode()) for name, text in files.items()]))


def test_two_rows_with_one_address_make_one_letter_that_is_sent():
    table = "name;email;product;day\nAda;ada@shop.example;pump;Monday\nAnn;ADA@shop.example;pump;Friday\n"
    one, other = letters.items_of([File("t.txt", TEMPLATE.encode()), File("c.csv", table.encode())])
    assert "problem" not in one
    assert other["problem"] == "the address is that of letter 1 as well"
