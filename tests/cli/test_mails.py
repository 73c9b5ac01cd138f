"""Which mails are sent, and what `triage` prints."""

from __future__ import annotations

import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from coordinator.cli.exits import Stop
from coordinator.cli.mails import _name, mail_parts, pack_mails
from coordinator.cli.members import SAMPLE
from coordinator.cli.queue import Queue, queue_lines, queue_of
from specialist_agents.intake import MAILS, complaint_about
from tests.cli.stand_in import FAILED, PARTIAL, URI, artifact, ended, run
from tests.mails.generator import letters

MAIL = b"From: a@b\nSubject: one\n\nhello\n"


def judged(value, confidence=80):
    return {"value": value, "confidence": confidence, "reasons": []}


def item(rank, urgency="normal", **fields):
    mail = {
        "mail": f"{rank:04}.eml",
        "subject": "Hello",
        "from": "ada@example.org",
        "urgency": judged(urgency),
        "owner": judged("sales"),
        "kind": judged("order"),
        "audience": judged("personal"),
        "authentication": judged("pass"),
        "injection": judged("none"),
    }
    return {"rank": rank, "item": mail | fields, "votes": 1, "sources": [{"agent": "triage-01"}]}


def attached(mail, filename, **fields):
    return {"rank": 1, "item": {"mail": mail, "filename": filename, "number": 0} | fields, "sources": []}


def made_of(name, *items):
    document = {"schema": "merged-items/v1", "items": list(items)}
    return artifact({"artifactId": f"{name}/merged", "name": name, "parts": [{"data": document}, {"text": "# Report"}]})


QUEUE = made_of(
    "queue",
    item(1, "critical", subject="The server | is down\x1b[2J"),
    item(2, "high", authentication=judged("fail"), injection=judged("likely")),
    item(3, "low", audience=judged("bulk")),
)
FEED = made_of(
    "attachments",
    attached("0001.eml", "a.csv", rows=[["x"], ["1"]]),
    attached("0002.eml", "b.pdf", pages=["one"]),
    attached("0002.eml", "", problem="it is encrypted"),
    attached("0003.eml", "c.txt", text="four"),
)
COMPLETED = 3
TRIAGED = [QUEUE, FEED, ended(COMPLETED, run())]


@pytest.fixture
def mbox(tmp_path):
    path = tmp_path / "inbox.mbox"
    path.write_bytes(b"".join(b"From x\n" + MAIL.replace(b"one", b"%d" % n) + b"\n" for n in range(3)))
    return path


def test_an_mbox_is_its_mails_in_their_order(mbox):
    packed = pack_mails(mbox)
    assert [mail.name for mail in packed] == ["0001.eml", "0002.eml", "0003.eml"]
    assert packed[1].content == MAIL.replace(b"one", b"1")


def test_the_mails_that_ship_are_read_as_they_were_made():
    assert [mail.content for mail in pack_mails(SAMPLE / "mails.mbox")] == [one.content for one in letters()]


def test_a_folder_is_its_eml_files_by_name_and_nothing_else(tmp_path):
    for name in ("b.eml", "a.eml", "sub/c.eml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "link.eml").symlink_to("notes.txt")
    os.mkfifo(tmp_path / "pipe.eml")
    assert [(mail.name, mail.content) for mail in pack_mails(tmp_path)] == [
        ("a.eml", b"a.eml"),
        ("b.eml", b"b.eml"),
        ("sub/c.eml", b"sub/c.eml"),
    ]


def test_one_mail_goes_by_its_own_name_and_as_it_is(tmp_path):
    (tmp_path / "a:b.eml").write_bytes(MAIL + b"\xff\r\n")
    (mail,) = mail_parts(pack_mails(tmp_path / "a:b.eml"))
    assert (mail.filename, mail.media_type, mail.raw) == ("a%3Ab.eml", "message/rfc822", MAIL + b"\xff\r\n")


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=20))
def test_every_name_a_file_can_have_is_one_an_agent_accepts(name):
    assert complaint_about(_name(f"{name}.eml"), MAILS) is None


def test_a_name_too_long_for_an_agent_is_cut_and_still_its_own():
    names = [_name(f"{'x' * 80}/{'ä' * 80}{end}.eml") for end in "ab"]
    assert len(set(names)) == 2
    assert [complaint_about(name, MAILS) for name in names] == [None, None]


@given(st.lists(st.text(st.sampled_from("%3A:\\\n5"), min_size=1), min_size=2, max_size=2, unique=True))
def test_different_names_stay_different(names):
    assert _name(names[0]) != _name(names[1])


def test_only_the_first_mails_are_read_when_that_is_asked_for(mbox):
    assert [mail.name for mail in pack_mails(mbox, 2)] == ["0001.eml", "0002.eml"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "there is no such file or folder"),
        ("empty.mbox", b"", "holds no mails"),
        ("image.png", b"\x89PNG", "is neither an mbox nor a mail"),
        ("notes.txt", b"Dear diary\n", "is neither an mbox nor a mail"),
    ],
)
def test_what_holds_no_mails_is_wrong_usage_and_nothing_is_sent(call, coordinator, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = call("triage", tmp_path / name)
    assert result.exit_code == 2
    assert words in result.stderr
    assert coordinator.calls == []


def test_a_folder_without_mails_is_wrong_usage(tmp_path):
    with pytest.raises(Stop, match="holds no mails"):
        pack_mails(tmp_path)


def test_a_file_that_cannot_be_read_is_told_by_name(mbox, monkeypatch):
    def locked(*_, **__):
        raise PermissionError(13, "Permission denied", str(mbox))

    monkeypatch.setattr("pathlib.Path.open", locked)
    with pytest.raises(Stop, match=r"inbox\.mbox cannot be read: Permission denied"):
        pack_mails(mbox)


def test_triage_sends_the_mails_as_file_parts_under_its_plan(call, coordinator, mbox):
    coordinator.steps = TRIAGED
    result = call("triage", mbox, "--first", "2", "--concurrency", "3", "--deadline", "2m")
    assert result.exit_code == 0
    message = coordinator.requests[0].message
    assert [(part.filename, part.media_type) for part in message.parts] == [
        ("0001.eml", "message/rfc822"),
        ("0002.eml", "message/rfc822"),
    ]
    told = message.metadata.fields[URI].struct_value
    assert told["plan"] == "mail-triage"
    assert dict(told["limits"].items()) == {"concurrency": 3, "deadline": "120s"}
    assert "2 mails, 56 bytes" in result.stderr


def test_the_queue_is_a_table_in_which_no_word_of_a_mail_steers_the_terminal(call, coordinator, mbox):
    coordinator.steps = TRIAGED
    told = call("triage", mbox).stdout
    assert "3 mails: 1 critical, 1 high, 1 low; 4 attachments" in told
    assert "1  critical  sales  order  one" in told
    assert "NOT AUTHENTIC" in told
    assert "[injection likely] Hello" in told
    assert "plan code-review: complete" in told
    assert told.replace("\n", "").isprintable()
    assert "# Report" not in told


def test_in_a_narrow_window_sender_and_subject_give_way_and_nothing_wraps():
    mails = [item(1, "critical", **{"from": "ada " * 20, "subject": "down " * 30})]
    queue = Queue([{"rank": one["rank"], **one["item"]} for one in mails], [])
    console = Console(width=90, file=io.StringIO(), color_system=None)
    console.print(queue_lines(queue))
    _, _, head, row = console.file.getvalue().splitlines()
    assert head.split()[:6] == ["urgency", "owner", "kind", "sent", "to", "sender"]
    assert row.startswith("1  critical  sales  order  one      authentic  ada ada")
    assert row.count("…") == 2


def test_the_table_is_as_long_as_asked_for(call, coordinator, mbox):
    coordinator.steps = TRIAGED
    assert "… 2 more; --all shows them" in call("triage", mbox, "--top", "1").stdout
    assert "more; --all" not in call("triage", mbox, "--all", "--top", "1").stdout


def test_markdown_holds_every_mail_and_what_the_attachments_are(call, coordinator, mbox, tmp_path):
    coordinator.steps = TRIAGED
    call("triage", mbox, "--format", "markdown", "--output", tmp_path / "queue.md")
    told = (tmp_path / "queue.md").read_text()
    assert told.startswith("# Mail queue\n\n3 mails: 1 critical, 1 high, 1 low; 4 attachments.\n")
    assert "| 1 | critical | sales | order | one | authentic | ada@example.org | The server \\| is down" in told
    assert "- 0001.eml: a.csv: 2 rows\n- 0002.eml: b.pdf: 1 page\n" in told
    assert "- 0002.eml: (no name): not read, it is encrypted\n- 0003.eml: c.txt: 4 characters\n" in told


def test_markdown_of_a_partial_queue_says_what_is_missing(call, coordinator, mbox):
    coordinator.steps = [QUEUE, PARTIAL[-1]]
    result = call("triage", mbox, "--format", "markdown")
    assert result.exit_code == 3
    assert "**Not complete:**" in result.stdout


def test_json_is_the_queue_with_who_triaged_each_mail(call, coordinator, mbox):
    coordinator.steps = TRIAGED
    told = json.loads(call("triage", mbox, "--format", "json").stdout)
    assert told["schema"] == "mail-queue/v1"
    assert [(mail["rank"], mail["mail"], mail["triagedBy"]) for mail in told["mails"]] == [
        (rank, f"{rank:04}.eml", ["triage-01"]) for rank in (1, 2, 3)
    ]
    assert len(told["attachments"]) == 4


def test_json_of_the_whole_task_is_that_of_review(call, coordinator, mbox):
    coordinator.steps = TRIAGED
    told = json.loads(call("triage", mbox, "--json").stdout)
    assert set(told) >= {"taskId", "contextId", "state", "artifacts", "run"}


def test_a_queue_is_not_written_as_sarif_and_nothing_is_sent(call, coordinator, mbox):
    result = call("triage", mbox, "--format", "sarif")
    assert result.exit_code == 2
    assert "written as markdown or json" in result.stderr
    assert coordinator.calls == []


def test_a_triage_that_failed_ends_like_a_review(call, coordinator, mbox):
    coordinator.steps = FAILED
    assert call("triage", mbox).exit_code == 4


def test_what_is_no_queue_is_none():
    assert (
        queue_of([{"name": "x", "parts": [{"data": {"schema": "merged-items/v1", "items": [{"item": {}}]}}]}]) is None
    )
