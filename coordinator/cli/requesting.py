"""What `review` and `send` do, once their options are read."""

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
from coordinator.cli.message import Parameters, request, source_parts
from coordinator.cli.options import Format
from coordinator.cli.pack import Packed, pack
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
    """Have the Python files below *paths* reviewed."""
    files = pack(paths)
    if dry_run:
        return await _dry_run(target, files, order)
    note(Text(f"{plural(len(files), 'file')}, {size(_bytes(files))}"))
    return await carry(target, Order(source_parts(files), order.parameters, order.form, order.detach, order.save))


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
