"""The mail agents end to end: a client of the SDK, a loopback socket, the work in a child process."""

import asyncio
import json
from hashlib import sha256
from uuid import uuid4

import httpx
import jsonschema_rs
import pytest
from a2a.types.a2a_pb2 import Message, Part, Role, TaskState
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

from specialist_agents import __main__ as command_line
from specialist_agents.cards import CARDS, read_card
from specialist_agents.testing import connected, running, send, task_of
from specialist_agents.trades import MAIL
from specialist_agents.workshop import Limits
from tests.mails.files import pdf
from tests.mails.generator import letters
from tests.specialists.mails import raw, with_files

EML = "message/rfc822"


def message(*parts: Part) -> Message:
    return Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts)


def eml(content: bytes, name: str = "") -> Part:
    return Part(raw=content, filename=name, media_type=EML)


async def answered(name, *parts, **options):
    """Return the finished task of a message to the agent, and the items in it."""
    async with running(name, **options) as url, connected(url) as client:
        task = task_of(await send(client, message(*parts)))
    documents = [MessageToDict(part.data) for artifact in task.artifacts for part in artifact.parts]
    schema = jsonschema_rs.validator_for(json.loads((CARDS / MAIL[name].trade.schema).read_text("utf-8")))
    for document in documents:
        schema.validate(document)
    return task, [item for document in documents for item in document["items"]]


async def test_triage_answers_with_an_item_for_each_mail_in_their_order():
    parts = [eml(letter.content, f"{number}.eml") for number, letter in enumerate(letters(30))]
    task, items = await answered("triage", *parts)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert task.status.message.parts[0].text == "30 mails in 30 files"
    assert [(artifact.artifact_id, artifact.name) for artifact in task.artifacts] == [("triage", "triage")]
    assert [item["mail"] for item in items] == [f"{number}.eml" for number in range(30)]


async def test_attachments_are_given_on_as_files_with_their_types_and_whence_they_come():
    files = with_files(("a.csv", "application/octet-stream", b"a,b\n1,2\n"), ("b.pdf", "application/pdf", pdf("hello")))
    async with running("attachments") as url, connected(url) as client:
        task = task_of(await send(client, message(eml(files, "box/one.eml"), eml(raw(), "two.eml"))))
        none = task_of(await send(client, message(eml(raw(), "two.eml"))))
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert task.status.message.parts[0].text == "2 attachments in 2 files"
    digest = sha256(files).hexdigest()[:32]
    assert [(part.filename, part.media_type, part.raw[:4]) for part in task.artifacts[0].parts] == [
        (f"box/one.eml/{digest}/0/a.csv", "text/csv", b"a,b\n"),
        (f"box/one.eml/{digest}/1/b.pdf", "application/pdf", b"%PDF"),
    ]
    assert MessageToDict(none.artifacts[0].parts[0].data) == {"schema": "unpacked/v1", "items": []}


FILES = {
    "read-text": (b"hello", "text/plain", ("text", "hello")),
    "read-table": (b"a;b\n1;2\n", "text/csv", ("rows", [["a", "b"], ["1", "2"]])),
    "read-pdf": (pdf("one", "two"), "application/pdf", ("pages", ["one", "two"])),
    "read-other": (b"PK", "application/zip", ("problem", "nobody here reads files of this type")),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_reader_answers_with_an_entry_for_each_file_of_its_type(name):
    content, media_type, (field, value) = FILES[name]
    place = f"one.eml/{'a' * 32}/7/report%2F1.x"
    task, [first, second] = await answered(
        name,
        Part(raw=content, filename=place, media_type=media_type),
        Part(raw=content, filename="loose.x", media_type=media_type),
    )
    assert task.status.message.parts[0].text == "2 attachments in 2 files"
    by_mail = {first["mail"]: first, second["mail"]: second}
    entry = by_mail["one.eml"]
    assert (entry["filename"], entry["number"], entry["digest"]) == ("report/1.x", 7, "a" * 32)
    assert (entry[field], entry["mediaType"], entry["bytes"]) == (value, media_type, len(content))
    assert by_mail["loose.x"][field] == value


def test_each_reader_lists_its_own_types_and_one_takes_the_rest():
    modes = [mode for name in FILES for mode in read_card(name).default_input_modes]
    assert len(set(modes)) == len(modes)
    assert list(read_card("read-other").default_input_modes) == ["*/*"]
    assert {skill.id for name in FILES for skill in read_card(name).skills} == {"attachment-reader"}


async def test_more_mails_than_fit_a_document_come_in_chunks():
    _, items = await answered("triage", *(eml(raw(str(number)), f"{number}.eml") for number in range(450)))
    assert len({item["digest"] for item in items}) == 450


async def test_a_mail_needs_no_name_and_may_come_as_text():
    _, items = await answered("triage", Part(text="Sort these."), eml(raw()), Part(text=raw().decode(), media_type=EML))
    assert [item["mail"] for item in items] == ["part-1", "part-2"]
    assert items[0]["digest"] == items[1]["digest"]


async def test_no_mail_at_all_is_rejected():
    task, _ = await answered("triage", Part(text="Hello"))
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert task.status.message.parts[0].text == "nothing to triage: no file of media type message/rfc822"


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (Part(raw=b"x", filename="a.py", media_type="text/x-python"), ContentTypeNotSupportedError),
        (eml(b"x", "../a.eml"), InvalidParamsError),
    ],
)
async def test_what_is_no_mail_is_refused_before_there_is_a_task(part, error):
    async with running("triage") as url, connected(url) as client:
        with pytest.raises(error):
            await send(client, message(part))


async def test_a_batch_that_needs_too_much_time_fails_by_name_and_the_agent_goes_on(tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text("while True: pass\n")
    async with running("triage", worker=("/usr/bin/env", "python3", str(slow)), limits=Limits(wall_s=0.5)) as url:
        async with connected(url) as client:
            task = task_of(await send(client, message(eml(raw()))))
        async with httpx.AsyncClient() as http:
            health = (await http.get(f"{url}/healthz")).json()
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert "took longer than 0.5 seconds" in task.status.message.parts[0].text
    assert (health["status"], health["tool"]) == ("ok", "triage")


async def test_a_hostile_mail_leaves_the_others_of_its_batch_alone():
    bomb = (
        b"From: a@b\nSubject: "
        + b"(" * 1_000_000
        + b"\nContent-Type: multipart/mixed; boundary=x\n\n"
        + b"--x\n" * 9_000
    )
    _, items = await answered("triage", eml(raw(), "a.eml"), eml(bomb, "b.eml"), eml(raw(), "c.eml"))
    assert [item["mail"] for item in items] == ["a.eml", "b.eml", "c.eml"]


async def test_an_agent_told_to_wait_takes_its_time_with_each_answer():
    limits = Limits(pause_s=0.3, concurrent=1)
    loop = asyncio.get_running_loop()
    async with running("triage", limits=limits) as url, connected(url) as client:
        before = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(send(client, message(eml(raw(str(number))))))
        assert loop.time() - before >= 0.6  # never less, however slow the machine


def test_the_delay_is_an_option_of_the_command_line(monkeypatch):
    served = []
    monkeypatch.setattr(command_line, "serve", lambda *arguments: served.append(arguments))
    monkeypatch.setattr(command_line, "log_to_stderr", lambda level: None)
    assert command_line.main(["triage", "--port", "0", "--delay", "2"]) == 0
    assert served[0][2].pause_s == 2.0


@pytest.mark.parametrize(("name", "port"), [("triage", 8431), ("attachments", 8432)])
def test_the_cards_say_where_what_and_how(name, port):
    card = read_card(name)
    assert card.supported_interfaces[0].url == f"http://127.0.0.1:{port}/"
    assert list(card.default_input_modes) == [EML]
    assert card.skills[0].id == f"mail-{name}"
