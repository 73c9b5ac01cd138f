"""Logs: one line a record, with task and branch as fields."""

import io
import json
import logging

import pytest

from coordinator.telemetry import configure_logging


@pytest.fixture
def stream():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before, level


def test_json_lines_carry_task_and_branch(stream):
    configure_logging("info", "json", stream)
    logging.getLogger("coordinator.x").info("went out", extra={"task": "t", "branch": "s/a", "error": ""})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["task"], line["branch"], line["level"]) == ("went out", "t", "s/a", "info")
    assert "error" not in line


def test_text_lines_end_in_key_value_pairs(stream):
    configure_logging("info", "text", stream)
    logging.getLogger("coordinator.x").warning("failed", extra={"task": "t", "attempt": 2})
    assert stream.getvalue().rstrip().endswith("failed task=t attempt=2")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_told_with_its_traceback(stream, form):
    configure_logging("info", form, stream)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("coordinator.x").exception("a turn failed")
    assert "ValueError: broken" in stream.getvalue()


def test_the_level_is_kept(stream):
    configure_logging("error", "text", stream)
    logging.getLogger("coordinator.x").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("library", ["a2a.client", "alembic.runtime.plugins", "httpx"])
def test_libraries_say_nothing_but_errors(stream, library):
    configure_logging("debug", "text", stream)
    logging.getLogger(library).warning("chatter")
    assert stream.getvalue() == ""
    logging.getLogger(library).error("broken")
    assert "broken" in stream.getvalue()
