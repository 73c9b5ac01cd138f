"""Every fault in every way of waiting: what becomes of the branch, in bounded time, and nothing is left behind.

Each row runs a whole coordinator with one specialist that misbehaves and one that does not. The other one always
finishes. What a row says holds for all three ways, unless it names one.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from coordinator import testing
from coordinator.outbound import Patience
from coordinator.testing import Behaviour, LogNormal, Specialist, answers
from coordinator.testing.behaviour import Scripted
from tests.leaks import nothing_left, settled
from tests.planning.making import Document
from tests.policies.rig import coordinating
from tests.protocol.conftest import one_certificate

__all__ = ["one_certificate"]

WAYS = {"stream": {"streaming": True}, "push": {"streaming": False, "pushing": True}, "poll": {"streaming": False}}

SHORT = Patience(
    request_s=0.6,
    silence_s=0.6,
    poll_min_s=0.01,
    poll_max_s=0.05,
    push_check_s=0.2,
    doubt_s=0.02,
    cancel_s=1.0,
    progress_s=0.0,
)

BOUND_S = 12.0
TEXTS = ["one", "two", "three"]
DOUBLED = ["one", "two", "two", "three", "three"]
WORK = {"steps": ("reading", "writing"), "artifacts": (answers.text(*TEXTS),), "chunk": 1}
FINE = Behaviour(**WORK)
FORGETFUL = {"lists": False, "keeps_history": False, "dedupes": True}
EVERYTHING = ("send", "get", "subscribe")


@dataclass(frozen=True)
class Row:
    """One fault and what comes of it: an outcome, or the kind of the failure."""

    name: str
    script: Scripted
    ends: str | dict[str, str] = "succeeded"  #: or by way
    parts: list[Any] | dict[str, list[Any]] = field(default_factory=lambda: TEXTS)  #: of the faulty one, if it succeeds
    timeout: str = "10s"  #: for the branch
    cancel: str | None = None  #: what the record says about the cancel of its task
    open_tasks: int = 0  #: at the specialist, in the end
    tasks: int | None = None  #: the specialist has created

    def by_way(self, stated: Any, way: str) -> Any:
        """Return what holds for one way."""
        return stated.get(way, stated.get("else")) if isinstance(stated, dict) else stated


def bad(**fault: Any) -> Behaviour:
    return Behaviour(**(WORK | fault))


def endless(result: str = "confirmed", open_tasks: int = 0, **fault: Any) -> dict[str, Any]:
    """Return what is to be said about a task that has to be canceled."""
    return {
        "script": bad(**({"never_ends": True} | fault)),
        "ends": "timed_out",
        "timeout": "700ms",
        "cancel": result,
        "open_tasks": open_tasks,
    }


def garbled(kind: str, ends: str | dict[str, str] = "malformed") -> Row:
    return Row(f"garbage: {kind}", bad(garbage=kind, during=EVERYTHING), ends)


TABLE = [
    # Good work, in all its forms.
    Row("none", FINE, tasks=1),
    Row("over at once", Behaviour(artifacts=(answers.text(*TEXTS),))),
    Row("a direct Message", Behaviour(message="hello"), parts=["hello"]),
    Row("delays of a real service", bad(accept_s=LogNormal(0.01), work_s=LogNormal(0.1, 0.6, 0.4))),
    Row("nothing said for longer than we listen", bad(silence_s=1.0), tasks=1),
    # Ends.
    Row("its task fails", bad(end="failed"), "failed"),
    Row("it rejects the task", bad(end="rejected"), "rejected"),
    Row("somebody else cancels its task", bad(end="canceled"), "canceled"),
    # Instead of an answer.
    Row("HTTP 503 with Retry-After, then fine", [Behaviour(http_error=503, retry_after=0.01), FINE]),
    Row("HTTP 429 without it, then fine", [Behaviour(http_error=429), FINE]),
    Row("HTTP 503 always", Behaviour(http_error=503), "overloaded", tasks=0),
    Row("HTTP 400", Behaviour(http_error=400), "refused", tasks=0),
    Row("HTTP 502 once", [Behaviour(http_error=502), FINE], tasks=1),
    Row("HTTP 500 always", Behaviour(http_error=500), "in_doubt", tasks=0),
    Row("HTTP 500 to two looks", bad(http_error=500, during=("get",), times=2), tasks=1),
    Row("an internal error", Behaviour(rpc_error=-32603), "failed", tasks=0),
    Row("a reset before the send took effect", [Behaviour(reset="before"), FINE], tasks=1),
    Row("a reset after it took effect", bad(reset="after", times=1), tasks=1),
    Row("resets always", Behaviour(reset="before"), "in_doubt", tasks=0),
    Row("no answer, ever", Behaviour(hang="before"), "in_doubt", tasks=0),
    Row("no answer though it took effect", bad(hang="after", times=1), tasks=1),
    Row("no answer, no ListTasks, knows repeats", [bad(hang="after", **FORGETFUL), bad(**FORGETFUL)], tasks=1),
    Row("no answer, no history, and it forgets repeats", [bad(hang="after", keeps_history=False), FINE], tasks=2),
    garbled("broken_json"),
    garbled("html"),
    garbled("empty"),
    garbled("list"),
    garbled("no_result"),
    garbled("wrong_shape"),
    garbled("deep"),
    garbled("wrong_type", {"stream": "malformed", "else": "succeeded"}),
    # The life of the task.
    Row("it never ends", **endless()),
    Row("it works for ever and says so", **endless(never_ends=False, endless_s=0.005)),
    Row("5,000 updates", bad(updates=5000, padding=200), {"stream": "too_large", "else": "succeeded"}),
    # A stream that was never cut is believed: a reader cannot tell a repeated chunk from two that are alike.
    Row("chunks come twice", bad(double_chunks=True), parts={"stream": DOUBLED, "else": TEXTS}),
    Row("chunks come last one first", bad(reorder_chunks=True), parts={"stream": ["one"], "else": TEXTS}),
    Row("states go backwards", bad(goes_back=True)),
    Row("events of another task", bad(foreign_events=True), tasks=1),
    Row("other ids than at first", bad(wrong_ids=True), "malformed"),
    Row("an artifact larger than allowed", bad(oversized=600_000), "too_large"),
    Row("1 GB instead of an answer", bad(gush=1_000_000_000), "too_large"),
    Row("1 GB instead of a look", bad(gush=1_000_000_000, during=("get",), work_s=0.1, cut_after=1), "too_large"),
    Row("it restarts and has forgotten everything", bad(forgets_after=2, work_s=0.1), "lost"),
    # Streams.
    Row("it does not stream, whatever its card says", bad(streams=False), tasks=1),
    Row("the stream ends early", bad(cut_after=2, double_on_reattach=True), tasks=1),
    Row("the stream breaks again and again", bad(work_s=0.2, cut_after=2, cut_by="break", cut_streams=3), tasks=1),
    Row("the stream leaves the result out", bad(streams_artifacts=False), tasks=1),
    Row("the stream falls silent", bad(stall_after=2), tasks=1),
    # Pushes.
    Row("pushes with a wrong token", bad(push="wrong_token", work_s=0.1), tasks=1),
    Row("pushes come twice", bad(push="doubled"), tasks=1),
    Row("pushes come last one first", bad(push="reordered"), tasks=1),
    Row("pushes come late", bad(push_s=0.3), tasks=1),
    Row("no push comes, ever", bad(push="never", work_s=0.1), tasks=1),
    Row("the webhook is refused", bad(push="refused"), tasks=1),
    # Cancels.
    Row("it refuses the cancel", **endless("refused", 1, cancel="refused")),
    Row("it ignores the cancel", **endless("refused", 1, cancel="ignored")),
    Row("it completes after the cancel", **endless(never_ends=False, work_s=2.0, cancel="late")),
    Row("it never answers the cancel", **endless("unreachable", 1, hang="before", during=("cancel",))),
]


@pytest.fixture(autouse=True)
def _quick_tls(one_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(one_certificate))


def plan(row: Row) -> Document:
    return {
        "name": "ask",
        "description": "Asks one that misbehaves and one that does not.",
        "stages": {
            "ask": {
                "fan_out": {"to": {"agents": ["it", "good"]}},
                "limits": {"branch_timeout": row.timeout},
                "on_failure": {"retry": {"attempts": 2, "backoff": "1ms..1ms"}},
                "barrier": {"need": 1},
                "merge": "by_agent",
            }
        },
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_a_fault_ends_as_stated_in_time_and_leaves_nothing(row: Row, way: str, tmp_path: Path) -> None:
    specialists = [Specialist("it", row.script, **WAYS[way]), Specialist("good", bad(), **WAYS[way])]
    async with asyncio.timeout(BOUND_S), nothing_left(), testing.fleet(specialists) as fleet:
        sizes = {"max_answer": 500_000, "max_artifact": 400_000}
        running = coordinating(tmp_path, fleet, plan(row), patience=SHORT, webhook="on", **sizes)
        async with running as coordinator, settled(fleet, open_tasks=row.open_tasks):
            answer = await coordinator.ask()
        branch = answer.branches["ask/it"]
        ends = row.by_way(row.ends, way)
        assert branch.get("error", {}).get("kind", branch["outcome"]) == ends
        assert answer.outcomes["ask/good"] == "succeeded"
        if ends == "succeeded":
            assert answer.state == "COMPLETED"
            (merged,) = answer.parts
            texts = {name: [part["text"] for part in parts] for name, parts in merged["answers"].items()}
            assert texts == {"it": row.by_way(row.parts, way), "good": TEXTS}
        if row.cancel is not None:
            assert branch["cancel"] in {row.cancel, "requested"}
        if row.tasks is not None:
            assert fleet["it"].counts.tasks == row.tasks
