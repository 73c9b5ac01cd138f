"""Where one review happens: a folder of its own, a child process below limits, and its end.

Whatever happens (an answer, a failure, a cancel, a deadline), the child is gone and the folder
removed when a review is over. If this process is killed, the kernel kills the child, and the next
process to start removes the folder. What is reviewed is data here: written, never read.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ParamSpec, TypeVar

from specialist_agents.analysis import limits
from specialist_agents.analysis.limits import describe_exit
from specialist_agents.intake import SourceFile

WORKER: Sequence[str] = (
    sys.executable,
    "-I",
    "-X",
    "utf8",
    str(Path(limits.__file__).with_name("worker.py")),
)
PROGRESS_INTERVAL_S = 1.0
_COMPLAINT_BYTES = 1_000
_PROGRESS_CHARACTERS = 200
_ASKING = 4
"""The exit status of a child that has written a question instead of findings."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Told how far a review is.
Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one review may use, and how many run at the same time."""

    wall_s: float = 300.0
    cpu_s: int = 600
    memory_mb: int = 2_048
    concurrent: int = 2
    max_findings: int = 100_000
    pause_s: float = 0.0  #: for each message: stands in for the time of a model


class ReviewFailure(Exception):
    """The review could not be done; the message says why, in words for the client."""


class QuestionFirst(Exception):
    """The review stopped because something has to be decided first."""

    def __init__(self, question: Mapping[str, Any]) -> None:
        super().__init__(question.get("text"))
        self.question = question


class Workshop:
    """Reviews files in child processes, one folder and one child each."""

    def __init__(
        self, allowed: Limits, worker: Sequence[str] = WORKER, package: str = "specialist_agents.analysis"
    ) -> None:
        self.limits = allowed
        self._worker = worker
        self._package = package
        self._folder: Path | None = None

    @contextmanager
    def at(self, folder: Path) -> Iterator[None]:
        """Work below this folder for as long as the context lasts."""
        self._folder = folder
        try:
            yield
        finally:
            self._folder = None

    @asynccontextmanager
    async def review(
        self, agent: str, files: Sequence[SourceFile], progress: Progress, decided: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Path]]:
        """Review the files; yield the documents with the findings, which are gone afterwards.

        Raises QuestionFirst when the files leave something open that *decided* does not settle.
        """
        if self._folder is None:
            raise ReviewFailure("the agent is stopping")
        folder = Path(mkdtemp(prefix="review-", dir=self._folder))
        try:
            job = {
                "package": self._package,
                "agent": agent,
                "names": [file.name for file in files],
                "media_types": {file.name: file.media_type for file in files},
                "max_findings": self.limits.max_findings,
                "decided": dict(decided or {}),
            }
            await _to_its_end(_write, folder, files, job)
            status = await self._run(folder, progress)
            if status == _ASKING:
                raise QuestionFirst(json.loads(await _to_its_end((folder / "question.json").read_bytes)))
            if status != 0:
                raise ReviewFailure(await _to_its_end(self._reason, folder, status))
            documents = await _to_its_end(_documents, folder)
            if not documents:
                raise ReviewFailure("the review ended without an answer")
            yield documents
        finally:
            await _to_its_end(_remove, folder)

    async def _run(self, folder: Path, progress: Progress) -> int:
        command = limits.guarded(
            [*self._worker, str(folder / "job.json")],
            memory_mb=self.limits.memory_mb,
            cpu_s=self.limits.cpu_s,
        )
        with (folder / "complaints.txt").open("wb") as complaints:
            child = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder / "empty",
                env=_environment(folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(self.limits.wall_s):
                await _follow(child, progress)
                return await child.wait()
        except TimeoutError:
            raise ReviewFailure(f"the review took longer than {self.limits.wall_s:g} seconds") from None
        finally:
            await _end(child)

    def _reason(self, folder: Path, status: int) -> str:
        told = folder / "failure.txt"
        if told.exists():
            return told.read_text("utf-8")
        if status == -signal.SIGXCPU:
            return f"the review used more than {self.limits.cpu_s} seconds of CPU time"
        complaint = _tail(folder / "complaints.txt").replace(str(folder), ".").strip()
        last = complaint.rpartition("\n")[2]
        if "MemoryError" in last or "memory allocation" in complaint:
            return f"the review needed more than {self.limits.memory_mb} MiB of memory"
        return f"the review ended with {describe_exit(status)}" + (f": {last}" if last else "")


def _write(folder: Path, files: Sequence[SourceFile], job: Mapping[str, object]) -> None:
    try:
        (folder / "empty").mkdir()
        for file in files:
            path = folder / "src" / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    except OSError as error:
        raise ReviewFailure(f"the files cannot be written: {error.strerror}") from error


def _remove(folder: Path) -> None:
    """Remove a folder; what a program that is just being killed still writes goes at the next try."""
    with suppress(OSError):
        rmtree(folder)
    rmtree(folder, ignore_errors=True)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _COMPLAINT_BYTES))
        return file.read().decode("utf-8", "replace")


def _documents(folder: Path) -> list[Path]:
    return sorted(folder.glob("findings-*.json"))


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment that carries nothing of ours and points at nothing of anyone's."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder / "empty"),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }


async def _follow(child: asyncio.subprocess.Process, progress: Progress) -> None:
    """Pass on what the child says about its progress, at a modest rate, until it says no more."""
    loop = asyncio.get_running_loop()
    told_at = -PROGRESS_INTERVAL_S
    assert child.stdout is not None  # noqa: S101  # we asked for a pipe
    async for line in child.stdout:
        if loop.time() - told_at >= PROGRESS_INTERVAL_S:
            told_at = loop.time()
            await progress(line.decode("utf-8", "replace").strip()[:_PROGRESS_CHARACTERS])


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kill the child with all it started, unless it has ended, and wait until it is gone."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.communicate()


async def _to_its_end(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function in a thread; a cancel waits for it, so nobody removes a folder under it."""
    job = asyncio.get_running_loop().run_in_executor(None, partial(function, *args, **kwargs))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        raise
