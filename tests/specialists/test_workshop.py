"""The folder a review happens in: written whole, removed whole."""

import asyncio
import threading

import pytest

from specialist_agents import workshop as module
from specialist_agents.analysis.sources import read_sources
from specialist_agents.intake import SourceFile
from specialist_agents.workshop import Limits, ReviewFailure, Workshop


async def _quiet(_):
    pass


async def test_a_workshop_that_is_closed_reviews_nothing():
    with pytest.raises(ReviewFailure, match="the agent is stopping"):
        async with Workshop(Limits()).review("lint", [], _quiet):
            pass


async def test_files_that_cannot_be_written_fail_the_review(tmp_path):
    workshop = Workshop(Limits())
    files = [SourceFile("a.py", b""), SourceFile("a.py/b.py", b"")]
    with workshop.at(tmp_path), pytest.raises(ReviewFailure, match="the files cannot be written: "):
        async with workshop.review("lint", files, _quiet):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_cancel_while_files_are_written_waits_for_the_writer(tmp_path, monkeypatch):
    writing, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    write = module._write

    def slowly(*given):
        loop.call_soon_threadsafe(writing.set)
        go_on.wait()
        write(*given)

    async def review(workshop):
        async with workshop.review("lint", [SourceFile("a.py", b"")], _quiet):
            pass

    monkeypatch.setattr(module, "_write", slowly)
    workshop = Workshop(Limits())
    with workshop.at(tmp_path):
        async with asyncio.TaskGroup() as group:
            reviewing = group.create_task(review(workshop))
            await writing.wait()
            reviewing.cancel()
            loop.call_later(0.05, go_on.set)
    assert reviewing.cancelled()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "kind", "line"),
    [
        (b"x = 1\x00\n", "syntax-error", 1),
        (b"x = 1\ny = (\n", "syntax-error", 2),
        (b"# coding: nonsense\n", "syntax-error", 1),
        (b"x = " + b"-" * 50_000 + b"1\n", "not-reviewed", 1),
        (b"x = " + b"+".join([b"1"] * 50_000) + b"\n", "not-reviewed", 1),
    ],
)
def test_a_file_that_cannot_be_parsed_says_why_and_where(tmp_path, content, kind, line):
    (tmp_path / "a.py").write_bytes(content)
    (source,) = read_sources(tmp_path, ["a.py"], lambda _: None)
    assert (source.problem.kind, source.problem.line) == (kind, line)
    assert source.problem.message
    assert source.statement(7) == 7
