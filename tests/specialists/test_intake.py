"""What a message must look like, and what its sender is told when it does not."""

from pathlib import PurePosixPath

import pytest
from a2a.types.a2a_pb2 import ListTasksRequest, Message, Part
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from hypothesis import given
from hypothesis import strategies as st

from specialist_agents import intake
from specialist_agents.testing import connected, message_of, python_part, running, send

PYTHON = "text/x-python"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "is empty"),
        ("/etc/a.py", "is absolute"),
        ("../a.py", "leaves its folder"),
        ("a/../b.py", "leaves its folder"),
        ("a//b.py", "is not in its shortest form"),
        ("./a.py", "is not in its shortest form"),
        ("a\\b.py", "holds a backslash or a colon"),
        ("C:/a.py", "holds a backslash or a colon"),
        ("C:a.py", "holds a backslash or a colon"),
        ("a\x00.py", "holds characters that cannot be printed"),
        ("a\n.py", "holds characters that cannot be printed"),
        ("a\u202eb.py", "holds characters that cannot be printed"),
        ("mypy.ini", "ends neither in .py nor in .pyi"),
        (".py", "ends neither in .py nor in .pyi"),
        ("a.PY", "ends neither in .py nor in .pyi"),
        ("a.py/", "is not in its shortest form"),
        ("a/" * 500 + "a.py", "is longer than 1000 bytes"),
        ("ä" * 120 + ".py", "has too long a component"),
    ],
)
def test_a_name_that_cannot_be_a_file_of_ours_is_refused_with_the_reason(name, complaint):
    assert intake.complaint_about(name) == complaint
    with pytest.raises(InvalidParamsError, match=r"message\.parts\[1\]\.filename: the file name") as caught:
        intake.files_of(Message(parts=[python_part("good.py", ""), Part(raw=b"", filename=name, media_type=PYTHON)]))
    assert caught.value.data["errors"][0]["field"] == "message.parts[1].filename"


@pytest.mark.parametrize("name", ["a.py", "a/b/c.pyi", "with space.py", "größe.py", "-rf.py", "..a.py", "...py/x.py"])
def test_a_plain_relative_name_is_taken(name):
    assert intake.complaint_about(name) is None


@given(st.text(max_size=40) | st.lists(st.sampled_from([".", "..", "/", "a", "\\", ":", ".py", "\x00"])).map("".join))
def test_no_accepted_name_leads_out_of_a_folder(name):
    if intake.complaint_about(name) is None:
        inside = PurePosixPath("/folder") / name
        assert inside.is_relative_to("/folder")
        assert ".." not in inside.parts
        assert inside.suffix in intake.SUFFIXES
        assert str(PurePosixPath(name)) == name


@pytest.mark.parametrize(
    ("part", "error", "says"),
    [
        (
            Part(raw=b"x", filename="a.py", media_type="application/pdf"),
            ContentTypeNotSupportedError,
            "application/pdf",
        ),
        (Part(raw=b"x", filename="a.py"), ContentTypeNotSupportedError, "has media type ''"),
        (Part(text="x", filename="a.txt", media_type="text/plain"), ContentTypeNotSupportedError, "text/plain"),
        (Part(url="http://x/a.py", filename="a.py", media_type=PYTHON), ContentTypeNotSupportedError, "do not fetch"),
        (Part(data={"number_value": 1}, media_type=PYTHON), ContentTypeNotSupportedError, "holds data"),
        (Part(filename="a.py", media_type=PYTHON), ContentTypeNotSupportedError, "holds nothing"),
        (Part(text="x = 1", media_type=PYTHON), InvalidParamsError, "needs a file name"),
        (python_part("good.py", "twice"), InvalidParamsError, "appears twice"),
        (python_part("good.py/inner.py", ""), InvalidParamsError, "is also a folder's"),
    ],
)
def test_a_part_of_the_wrong_kind_is_refused_and_named(part, error, says):
    with pytest.raises(error, match=r"message\.parts\[[02]\]") as caught:
        intake.files_of(Message(parts=[python_part("good.py", ""), Part(text="ignored"), part]))
    assert says in str(caught.value)


def test_text_without_a_file_name_is_left_to_others():
    parts = [Part(text="be strict", media_type="text/plain"), Part(text="x = 1", filename="a.py", media_type=PYTHON)]
    assert intake.files_of(Message(parts=parts)) == [intake.SourceFile("a.py", b"x = 1", PYTHON)]


def test_a_media_type_with_parameters_is_the_same_media_type():
    part = Part(raw=b"x", filename="a.py", media_type="Text/X-Python; charset=utf-8")
    assert len(intake.files_of(Message(parts=[part]))) == 1


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [("MAX_FILES", 2, "3 files; the limit is 2"), ("MAX_BYTES", 8, "9 bytes in all; the limit is 8")],
)
def test_too_much_is_refused_with_the_limit(monkeypatch, limit, value, says):
    monkeypatch.setattr(intake, limit, value)
    with pytest.raises(InvalidParamsError, match=says):
        intake.files_of(message_of(dict.fromkeys(("a.py", "b.py", "c.py"), "abc")))


@pytest.mark.parametrize(("binding", "version"), [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0")])
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_refused_message_makes_no_task_and_may_be_sent_again_corrected(binding, version, streaming):
    wrong = message_of({"../a.py": "x = 1"}, message_id="the same")
    right = message_of({"a.py": "x = 1"}, message_id="the same")
    agent = running("complexity")
    async with agent as url, connected(url, binding=binding, version=version, streaming=streaming) as client:
        with pytest.raises(InvalidParamsError, match="leaves its folder"):
            await send(client, wrong)
        assert (await client.list_tasks(ListTasksRequest())).total_size == 0
        await send(client, right)
        assert (await client.list_tasks(ListTasksRequest())).total_size == 1
