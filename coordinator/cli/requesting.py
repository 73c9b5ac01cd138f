"""What `review`, `research` and `send` do, once their options are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from a2a.types.a2a_pb2 import Part
from rich.text import Text

from coordinator.cli.carry import Form, carried_out, handed_over, print_result
from coordinator.cli.client import Target, connect
from coordinator.cli.exits import ExitCode
from coordinator.cli.formats import check_place, deliver, document
from coordinator.cli.mails import mail_parts, pack_mails
from coordinator.cli.message import PYTHON, Parameters, request, source_parts
from coordinator.cli.options import Format
from coordinator.cli.pack import Packed, pack
from coordinator.cli.repository import ALL_MODES, Repository, pack_repository
from coordinator.cli.tables import branches_table
from coordinator.cli.terminal import note, plural, printable, say, say_json, size
from coordinator.cli.view import TaskView


@dataclass(frozen=True, slots=True)
class Order:
    """A message and what to do about its task."""

    parts: Sequence[Part]
    parameters: Parameters
    form: Form = field(default_factory=Form)
    detach: bool = False
    save: Path | None = None


async def review(target: Target, paths: Sequence[Path], order: Order, *, dry_run: bool = False) -> ExitCode:
    """Have the Python files below *paths* reviewed, and beside them what else the plan takes of a repository."""
    files = pack(paths)
    parts = source_parts(files)
    if further := await _modes(target, order) - {PYTHON}:
        repository = pack_repository(paths, further | {PYTHON})
        files, parts = list(repository.files), list(repository.parts)
        _tell_notes(repository)
    if dry_run:
        return await _dry_run(target, files, order)
    note(Text(f"{plural(len(files), 'file')}, {size(_bytes(files))}"))
    return await carry(target, Order(parts, order.parameters, order.form, order.detach, order.save))


async def research(
    target: Target, question: str, paths: Sequence[Path], order: Order, *, dry_run: bool = False
) -> ExitCode:
    """Have several agents search what lies below *paths* for what answers the question."""
    repository = pack_repository(paths, await _modes(target, order) or ALL_MODES)
    _tell_notes(repository)
    if dry_run:
        return await _dry_run(target, repository.files, order)
    told = f"{plural(len(repository.files), 'file')}, {size(_bytes(repository.files))}"
    note(Text(f"{told}, with {plural(repository.commits, 'commit')}" if repository.commits else told))
    parts = [Part(text=question, media_type="text/plain"), *repository.parts]
    return await carry(target, Order(parts, order.parameters, order.form, order.detach))


async def _modes(target: Target, order: Order) -> frozenset[str]:
    """Return the media types the plan takes, as far as the coordinator tells."""
    async with connect(target) as connection:
        return await connection.input_modes(order.parameters.plan or "")


def _tell_notes(repository: Repository) -> None:
    for line in repository.notes:
        note(Text(printable(line)))


async def triage(target: Target, path: Path, most: int | None, order: Order) -> ExitCode:
    """Have the mails in *path*, the first *most* of them, sorted into one queue."""
    mails = pack_mails(path, most)
    note(Text(f"{plural(len(mails), 'mail')}, {size(_bytes(mails))}"))
    return await carry(target, Order(mail_parts(mails), order.parameters, order.form, order.detach))


async def carry(target: Target, order: Order) -> ExitCode:
    """Send the message, and stay with its task unless detached."""
    check_place(order.save)
    check_place(order.form.output)
    message = request(order.parts, order.parameters, detach=order.detach)
    if order.detach:
        return _print_handed_over(await handed_over(target, message), order.form)
    view = await carried_out(target, message, asks=order.form.asks)
    if order.save:
        save(order.save, view)
    return print_result(view, order.form)


def _print_handed_over(view: TaskView, form: Form) -> ExitCode:
    if form.as_json or view.reply is not None:
        return print_result(view, form)
    say(Text(printable(view.task.id)))
    note(Text(f"it goes on without you: coordinator watch {printable(view.task.id)}"))
    return view.exit_code


async def _dry_run(target: Target, files: Sequence[Packed], order: Order) -> ExitCode:
    async with connect(target) as connection:
        plan = await connection.resolve(order.parameters.plan or "", order.parameters.limits())
    if order.form.as_json:
        say_json({**plan, "files": len(files), "bytes": _bytes(files)})
        return ExitCode.OK
    branches = plan.get("branches", [])
    say(branches_table(branches))
    say(Text(f"would send {plural(len(files), 'file')}, {size(_bytes(files))}, to {plural(len(branches), 'branch')}"))
    return ExitCode.OK


def _bytes(files: Sequence[Packed]) -> int:
    return sum(len(file.content) for file in files)


def save(path: Path, view: TaskView) -> None:
    """Write the report, or the artifacts where there is no report."""
    deliver(document(view, Format.JSON), path)
    note(Text(f"written to {path}"))
