"""What `agents`, `plans`, `tasks`, `show`, `watch` and `cancel` do, once their options are read."""

from __future__ import annotations

from contextlib import aclosing
from itertools import islice
from typing import cast

from a2a.types.a2a_pb2 import StreamResponse, Task, TaskState
from rich.text import Text

from coordinator.cli.carry import Form, print_result, watched, write
from coordinator.cli.client import Connection, Target, connect
from coordinator.cli.dialogue import tell_how_to_answer
from coordinator.cli.exits import ExitCode, Stop, UnknownTask
from coordinator.cli.formats import check_place, deliver, document
from coordinator.cli.live import branch_tree
from coordinator.cli.questions import question_lines
from coordinator.cli.report import cancel_lines, report_lines, report_of, run_lines
from coordinator.cli.tables import (
    agents_table,
    artifacts_table,
    load_words,
    plans_table,
    state_words,
    task_lines,
    tasks_table,
)
from coordinator.cli.terminal import as_json, note, printable, say, say_json
from coordinator.cli.view import TaskView
from coordinator.core import model

MATCHES_SHOWN = 10


async def agents(target: Target, form: Form) -> ExitCode:
    """Show the specialists the coordinator knows."""
    async with connect(target) as connection:
        known = await connection.agents()
    if form.as_json:
        say_json(known)
    else:
        say(agents_table(known.get("agents", [])))
        if words := load_words(known.get("load")):
            say(Text(words))
    return ExitCode.OK


async def plans(target: Target, form: Form) -> ExitCode:
    """Show the plans the coordinator offers."""
    async with connect(target) as connection:
        offered = await connection.plans()
    if form.as_json:
        say_json({"plans": offered})
    else:
        say(plans_table(offered))
    return ExitCode.OK


async def tasks(target: Target, form: Form, state: str | None, limit: int) -> ExitCode:
    """Show the newest tasks."""
    wanted = state_named(state) if state else TaskState.TASK_STATE_UNSPECIFIED
    found = []
    async with connect(target) as connection, aclosing(connection.tasks(wanted)) as listed:
        async for task in listed:
            found.append(as_json(task))
            if len(found) >= limit:
                break
    if form.as_json:
        say_json({"tasks": found})
    elif found:
        say(tasks_table(found))
    else:
        note("no tasks")
    return ExitCode.OK


def state_named(name: str) -> TaskState:
    """Return the state a user means by `completed` or `input-required`. Raises `Stop` for others."""
    states = {state.removeprefix("TASK_STATE_"): state for state in model.TaskState}
    key = name.upper().replace("-", "_").removeprefix("TASK_STATE_")
    if key not in states:
        known = ", ".join(short.lower().replace("_", "-") for short in states)
        raise Stop(f"there is no state {name!r}; there are: {known}")
    return cast(TaskState, TaskState.Value(states[key]))


async def show(target: Target, prefix: str, form: Form, *, report: bool) -> ExitCode:
    """Show one task as it is now."""
    check_place(form.output)
    view = TaskView()
    async with connect(target) as connection:
        view.apply(StreamResponse(task=await found(connection, prefix)))
        cancels = await connection.cancels(view.task.id)
    if form.format and form.output is None:
        deliver(document(view, form.format), None)
    elif form.as_json:
        say_json(view.as_json() | {"cancels": cancels})
    elif report:
        _say_report(view, form)
    else:
        _say_task(view)
        for line in cancel_lines(cancels):
            say(Text(line, style="yellow"))
    write(view, form)
    return ExitCode.OK


def _say_report(view: TaskView, form: Form) -> None:
    if (merged := report_of(view.artifacts)) is None:
        raise Stop(f"task {view.task.id} has no report; it is {state_words(view.state)}")
    say(report_lines(merged, form.top))


def _say_task(view: TaskView) -> None:
    say(task_lines(as_json(view.task), "" if view.questions else view.words))
    if view.run:
        say("")
        say(run_lines(view.run))
    elif view.progress:
        say("")
        say(branch_tree(view.progress, "branches"))
    if view.artifacts:
        say("")
        say(artifacts_table(view.artifacts))
    if questions := view.questions:
        say("")
        say(question_lines(questions), unbroken=True)
        tell_how_to_answer(view)


async def watch(target: Target, prefix: str, form: Form) -> ExitCode:
    """Stay with a task until it is settled."""
    check_place(form.output)
    view = await watched(target, lambda connection: found(connection, prefix), "left; the task goes on", asks=form.asks)
    return print_result(view, form)


async def cancel(target: Target, prefix: str, form: Form) -> ExitCode:
    """Cancel a task."""
    view = TaskView()
    async with connect(target) as connection:
        view.task = await found(connection, prefix)
        if view.state in TERMINAL:
            raise Stop(f"task {view.task.id} is {state_words(view.state)} already")
        view.task = await connection.cancel(view.task.id)
    if form.as_json:
        say_json(view.as_json())
    else:
        say(Text(f"task {printable(view.task.id)} is {state_words(view.state)}"))
    return ExitCode.OK


TERMINAL = frozenset(state.value for state in model.TaskState if state.is_terminal)


async def found(connection: Connection, prefix: str) -> Task:
    """Return the one task whose id is *prefix* or begins with it. Raises `Stop` when that is not one."""
    if not prefix:
        raise Stop("an empty id names no task")
    try:
        return await connection.task(prefix)
    except UnknownTask:
        return await connection.task(await _completed(connection, prefix))


async def _completed(connection: Connection, prefix: str) -> str:
    async with aclosing(connection.tasks()) as listed:
        matches = [task.id async for task in listed if task.id.startswith(prefix)]
    if not matches:
        raise UnknownTask(f"{connection.target.server} knows no task that begins with {prefix}")
    if len(matches) > 1:
        listing = ", ".join(islice(matches, MATCHES_SHOWN)) + (", …" if len(matches) > MATCHES_SHOWN else "")
        raise Stop(f"{prefix} is the beginning of {len(matches)} tasks: {listing}")
    return matches[0]
