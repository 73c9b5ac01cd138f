"""One batch of letters as an A2A task: accepted, working, a delivery report, completed; or failed.

A mail that is being handed in when the task is canceled is handed in to its end and written down; the next one is not
begun.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value
from platformdirs import user_data_path
from typing_extensions import override

from specialist_agents.accepting import JudgingExecutor, accepted
from specialist_agents.mailing.ledger import Ledger, Outcome
from specialist_agents.mailing.post import Connection, NoServer, Server
from specialist_agents.mailing.request import Letter, Order, order_of

ARTIFACT = "delivery"
SCHEMA = "delivery/v1"
_NOT_CONFIGURED = "this agent has no mail server: MAILER_SMTP and MAILER_FROM are not set; dry runs work"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """Where mails are handed in, and where it is written down."""

    server: Server
    ledger: Ledger


class SendingExecutor(JudgingExecutor):
    """Sends letters, one after the other; without a *post* nothing but dry runs are done."""

    def __init__(self, post: Post | None) -> None:
        self._post = post

    @override
    def judge(self, message: Message) -> None:
        """Refuse a message before there is a task for it; raises the protocol's own error."""
        order_of(message)

    @override
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Send the message's letters."""
        message = context.message or Message()
        order = order_of(message)
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        if context.current_task is None:
            kept = Part(text=f"campaign {order.campaign}, {len(order.letters)} letters, not kept here")
            await event_queue.enqueue_event(accepted(context, message, [kept]))
        if order.sends and self._post is None:
            await updater.reject(_says(updater, _NOT_CONFIGURED))
            return
        try:
            report = await self._report(updater, order, self._post if order.sends else None)
        except NoServer as failure:
            logger.warning("nothing sent", extra={"task": updater.task_id, "reason": str(failure)})
            await updater.failed(_says(updater, str(failure)))
            return
        document = {"schema": SCHEMA, "items": report}
        part = Part(data=ParseDict(document, Value()), media_type="application/json")
        await updater.add_artifact([part], artifact_id=ARTIFACT, name=ARTIFACT)
        await updater.complete(_says(updater, _counted(report)))

    @override
    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that it is canceled; the SDK then cancels `execute`, which ends between two mails."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel(_says(updater, "canceled; what was sent before is in the ledger"))

    async def _report(self, updater: TaskUpdater, order: Order, post: Post | None) -> list[dict[str, Any]]:
        if post is None:
            return [_entry(order, letter, Outcome("dry-run")) for letter in order.letters]
        await updater.start_work(_says(updater, f"{len(order.letters)} letters to {post.server.place}"))
        connection = Connection(post.server)
        try:
            await _to_its_end(connection.__enter__)
            return [
                _entry(order, letter, *await _to_its_end(_send, connection, post, order.campaign, letter))
                for letter in order.letters
            ]
        finally:
            connection.close()


def _send(connection: Connection, post: Post, campaign: str, letter: Letter) -> tuple[Outcome, bool]:
    """Send one letter unless it was sent before; return its outcome, and whether that is of an earlier time."""
    if letter.problem:
        return Outcome("not-sent"), False
    before = post.ledger.claim(campaign, letter.to)
    if before is not None:
        return before, True
    outcome = connection.send(post.server.mail(campaign, letter.to, letter.subject, letter.body), letter.to)
    post.ledger.settle(campaign, letter.to, outcome)
    return outcome, False


def _entry(order: Order, letter: Letter, outcome: Outcome, is_earlier: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """Return a letter's line of the report."""
    said = letter.problem or outcome.said
    return {
        "id": letter.id,
        "to": letter.to,
        "campaign": order.campaign,
        "outcome": "not-sent" if letter.problem else outcome.outcome,
        **({"code": outcome.code} if outcome.code else {}),
        **({"said": said} if said else {}),
        **({"earlier": True} if is_earlier else {}),
    }


def _counted(report: list[dict[str, Any]]) -> str:
    outcomes = [entry["outcome"] for entry in report]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))


def _says(updater: TaskUpdater, text: str) -> Message:
    return updater.new_agent_message([Part(text=text)])


async def _to_its_end(function: Any, *args: Any) -> Any:
    """Run a function in a thread; a cancel waits for it, so no mail is left half written down."""
    job = asyncio.get_running_loop().run_in_executor(None, function, *args)
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        raise


def executor_from(environment: Mapping[str, str] = os.environ) -> SendingExecutor:
    """Return the executor the environment describes: MAILER_SMTP, MAILER_FROM, MAILER_PASSWORD, MAILER_LEDGER."""
    url, sender = environment.get("MAILER_SMTP", ""), environment.get("MAILER_FROM", "")
    if not url or not sender:
        return SendingExecutor(None)
    file = environment.get("MAILER_LEDGER") or user_data_path("a2a-mailer") / "ledger.db"
    server = Server(url, sender, environment.get("MAILER_PASSWORD", ""))
    return SendingExecutor(Post(server, Ledger(Path(file))))
