"""Carries one message out: sends it, stays with the task, shows it, cancels it on Ctrl-C.

What the result looks like is for `report.py`; how the connection is kept is for `follow.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2a.types.a2a_pb2 import SendMessageRequest, StreamResponse
from rich.text import Text

from coordinator.cli.client import Connection, Target, connect
from coordinator.cli.dialogue import Dialogue, leave_waiting, tell_how_to_answer
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.follow import attached, sending
from coordinator.cli.formats import deliver, document
from coordinator.cli.options import Format
from coordinator.cli.passages import is_of_research, research_lines, research_of
from coordinator.cli.questions import question_lines
from coordinator.cli.queue import is_of_queue, queue_lines, queue_of
from coordinator.cli.report import report_lines, report_of, run_lines, without_report
from coordinator.cli.tables import artifact_lines, state_words
from coordinator.cli.terminal import note, printable, printable_lines, say, say_json
from coordinator.cli.view import TaskView
from coordinator.core.model import TaskState

CANCEL_S = 10.0


@dataclass(frozen=True, slots=True)
class Form:
    """How a result is printed."""

    as_json: bool = False
    top: int | None = 20  #: findings of a report, lines of other data; None: all
    format: Format | None = None  #: write the result as a document of this form
    output: Path | None = None  #: … to this file; None: to standard output, in the place of everything else
    asks: bool = False  #: whether there is a person who can be asked


async def carried_out(target: Target, request: SendMessageRequest, *, asks: bool = False) -> TaskView:
    """Send and stay until the task is settled; canceled from outside, cancel the task too, unless it asks."""
    view = TaskView(is_passing=target.is_passing)
    async with connect(target) as connection:
        dialogue = Dialogue(connection, view, asks=asks)
        try:
            await dialogue.carry_on(connection.send(request))
        except asyncio.CancelledError:
            if dialogue.is_asking:
                leave_waiting(view)
            else:
                await _cancel(connection, view)
            raise
    return view


async def watched(target: Target, find: Callable[[Connection], Any], told: str, *, asks: bool = False) -> TaskView:
    """Stay with a task somebody else started; leaving does not cancel it."""
    view = TaskView()
    async with connect(target) as connection:
        view.apply(StreamResponse(task=await find(connection)))
        dialogue = Dialogue(connection, view, asks=asks)
        try:
            await dialogue.carry_on(None if view.is_settled else attached(connection, view.task.id))
        except asyncio.CancelledError:
            if dialogue.is_asking:
                leave_waiting(view)
            else:
                note(Text(told))
            raise
    return view


async def handed_over(target: Target, request: SendMessageRequest) -> TaskView:
    """Send and return once the coordinator has a task."""
    view = TaskView()
    async with connect(target) as connection:
        with sending():
            view.apply(await connection.hand_over(request))
    return view


async def _cancel(connection: Connection, view: TaskView) -> None:
    """Cancel the task at the coordinator. A second Ctrl-C ends this wait, too."""
    if not view.task.id:
        note(Text("interrupted before the coordinator named a task; see: coordinator tasks"))
        return
    note(Text(f"canceling task {printable(view.task.id)} (Ctrl-C again leaves at once)"))
    try:
        async with asyncio.timeout(CANCEL_S):
            task = await connection.cancel(view.task.id)
    except Stop as stop:
        note(Text(f"it could not be canceled: {printable(stop)}"))
        return
    except TimeoutError:
        note(Text("the coordinator did not confirm it in time"))
        return
    view.apply(StreamResponse(task=task))
    note(Text(f"task {printable(view.task.id)} is {state_words(view.state)}"))


def print_result(view: TaskView, form: Form) -> ExitCode:
    """Print what came out, and return what it means for a script. Raises `Stop` when it has not the form asked for."""
    without = view.exit_code or ExitCode.USAGE
    if form.format and form.output is None:
        _note_account(view)
        deliver(document(view, form.format, without), None)
        return view.exit_code
    if form.as_json:
        say_json(view.as_json())
    else:
        _print_all(view, form)
    write(view, form, without)
    return view.exit_code


def write(view: TaskView, form: Form, without: ExitCode = ExitCode.USAGE) -> None:
    """Write the result to the file the user named, if any. Raises `Stop` with *without* when it has not that form."""
    if form.format and form.output:
        deliver(document(view, form.format, without), form.output)
        note(Text(f"written to {form.output}"))


def _note_account(view: TaskView) -> None:
    """Tell how it went beside standard output, which is the document's alone."""
    if view.reply is None:
        _print_words(view)
    if questions := view.questions:
        note(question_lines(questions), unbroken=True)
        tell_how_to_answer(view)
    if view.run:
        note(run_lines(view.run))


def _print_all(view: TaskView, form: Form) -> None:
    _print_words(view)
    report = report_of(view.artifacts)
    if report:
        say(report_lines(report, form.top))
        say("")
    others = without_report(view.artifacts)
    if queue := queue_of(others):
        say(queue_lines(queue, form.top))
        say("")
        others = [artifact for artifact in others if not is_of_queue(artifact)]
    if research := research_of(others):
        say(research_lines(research, form.top))
        others = [artifact for artifact in others if not is_of_research(artifact)]
    if others:
        say(artifact_lines(others, form.top))
    if questions := view.questions:
        say(question_lines(questions), unbroken=True)
        tell_how_to_answer(view)
    if view.run:
        say(run_lines(view.run))


def _print_words(view: TaskView) -> None:
    """Print the status text where it is the answer: failures, direct messages."""
    if view.reply is not None:
        say(Text(printable_lines(view.words)))
    elif view.state != TaskState.COMPLETED:
        words = f": {printable_lines(view.words)}" if view.words and not view.questions else ""
        note(Text(f"task {printable(view.task.id)} is {state_words(view.state)}{words}"))
