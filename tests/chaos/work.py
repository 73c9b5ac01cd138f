"""What is under way while the coordinator is killed: specialists, plans, and one job for each plan.

Who wins never depends on time: in every race, quorum and hedge the losers would work for ever. So the
artifacts of a disturbed run can be compared with those of an undisturbed one, byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from coordinator.testing import Behaviour, Specialist, answers


def _busy(words: str, work_s: float = 0.3) -> Behaviour:
    steps = ("reading", "thinking")
    return Behaviour(work_s=work_s, steps=steps, artifacts=(answers.text(words, f"{words}, too"),))


STUCK = Behaviour(never_ends=True, steps=("starting",))

SPECIALISTS = (
    Specialist("steady-a", _busy("a")),
    Specialist("steady-b", _busy("b", 0.5)),
    Specialist("steady-c", Behaviour(artifacts=(answers.text("c"),))),
    Specialist("polled", _busy("p", 0.4), streaming=False),
    Specialist("talker", Behaviour(message="said", work_s=0.2)),
    Specialist("flaky", (Behaviour(end="failed", end_text="not yet", work_s=0.1), _busy("at last", 0.1))),
    Specialist("crowded", (Behaviour(http_error=503, retry_after=0.1), _busy("room", 0.1))),
    Specialist("refuser", Behaviour(end="rejected", end_text="not my job")),
    Specialist("stand-in", _busy("instead", 0.2)),
    Specialist("fast", _busy("first", 0.2)),
    Specialist("faster", _busy("second", 0.1)),
    Specialist("lister", Behaviour(artifacts=(answers.text("one\ntwo\nthree"),), work_s=0.1)),
    Specialist("asker", (Behaviour(end="input_required", end_text="which one?", work_s=0.1), _busy("that one", 0.1))),
    Specialist("silent", Behaviour(end="input_required", end_text="is anybody there?", work_s=0.1)),
    Specialist("writer", _busy("written", 0.2)),
    *(Specialist(f"stuck-{letter}", STUCK) for letter in "abcdefgh"),
)

UNLISTED = frozenset({"talker"})
"""Who answers with a direct Message has no task to be found again: its work may be done twice."""


def _stage(agents: list[str], **options: Any) -> dict[str, Any]:
    return {"fan_out": {"to": {"agents": agents}}, "merge": "concat", **options}


def _one_of(*agents: str) -> dict[str, Any]:
    return {"to": {"agents": list(agents), "most": 1}}


RETRY = {"retry": {"attempts": 4, "backoff": "0.05s..0.2s"}}

PLANS: Mapping[str, dict[str, Any]] = {
    "settled": {"all": _stage(["steady-a", "steady-b", "steady-c", "polled"])},
    "retried": {"all": _stage(["flaky", "crowded"], on_failure=RETRY)},
    "hedged": {"all": {"fan_out": _one_of("stuck-a", "stand-in"), "on_failure": {"hedge": "0.2s"}, "merge": "concat"}},
    "raced": {"all": _stage(["stuck-b", "fast", "stuck-c"], barrier={"release": "first"})},
    "quorum": {"all": _stage(["fast", "stuck-d", "faster", "stuck-e"], barrier={"release": "enough", "need": 2})},
    "handed-on": {"all": {"fan_out": _one_of("refuser", "stand-in"), "on_failure": {"fallback": 1}, "merge": "concat"}},
    "staged": {
        "read": _stage(["steady-c", "talker"]),
        "write": {"fan_out": {"to": {"agents": ["writer"]}, "uses": ["read"]}, "merge": "concat"},
    },
    "split": {
        "list": _stage(["lister"]),
        "each": {
            "fan_out": {
                "to": {"agents": ["steady-a", "polled"]},
                "split": {"of": "list", "items": "lines", "batch": 1},
            },
            "limits": {"concurrency": 2},
            "merge": "concat",
        },
    },
    "asked": {"all": _stage(["asker", "steady-b"])},
    # Long enough to be parked: its timer is found by every replica that looks.
    "unanswered": {"stages": {"all": _stage(["silent", "steady-a"])}, "unanswered": {"after": "2.5s", "then": "take"}},
    "canceled": {"all": _stage(["stuck-f", "stuck-g", "stuck-h"])},
}

EXPECTED = {name: "TASK_STATE_CANCELED" if name == "canceled" else "TASK_STATE_COMPLETED" for name in PLANS}


def write_plans(folder: Path) -> Path:
    """Write every plan as a file, and return *folder*."""
    folder.mkdir()
    for name, known in PLANS.items():
        about = known if "stages" in known else {"stages": known}
        plan = {"name": name, "description": f"Work that is {name}.", **about}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return folder
