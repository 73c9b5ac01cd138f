"""Scripts with a name, for the command line and as examples: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.testing.behaviour import Behaviour, LogNormal, Script, Scripted, script_of


@dataclass(frozen=True, slots=True)
class Named:
    """A script, and what to expect of it in one sentence."""

    says: str
    scripted: Scripted

    @property
    def script(self) -> Script:
        """Return the script."""
        return script_of(self.scripted)


_STEPS = ("reading", "thinking", "writing")
_OK = Behaviour()

SCRIPTS: Mapping[str, Named] = {
    "good": Named("Completes at once.", _OK),
    "working": Named("Completes after a second and three updates.", Behaviour(work_s=1.0, steps=_STEPS)),
    "uneven": Named("Completes after about a second, sometimes much later.", Behaviour(work_s=LogNormal(1.0, 0.6))),
    "talking": Named("Answers with a direct Message.", Behaviour(message="done")),
    "failing": Named("Its task fails.", Behaviour(end="failed", end_text="out of ideas")),
    "rejecting": Named("Rejects the task.", Behaviour(end="rejected", end_text="not my job")),
    "asking": Named("Asks for input, and completes with the answer.", (Behaviour(end="input_required"), _OK)),
    "flaky": Named("Is overloaded the first time of three.", Script((Behaviour(http_error=503), _OK, _OK), "cycle")),
    "busy": Named("Is overloaded, and says for how long.", (Behaviour(http_error=429, retry_after=1.0), _OK)),
    "refusing": Named("Answers every send with an internal error.", Behaviour(rpc_error=-32603)),
    "dropping": Named("Takes the first task, then resets the connection.", (Behaviour(reset="after"), _OK)),
    "unreachable": Named("Resets every connection.", Behaviour(reset="before")),
    "mute": Named("Never answers.", Behaviour(hang="before")),
    "stuck": Named("Takes the task and never ends it.", Behaviour(never_ends=True)),
    "babbling": Named("Never ends, and says so twice a second.", Behaviour(endless_s=0.5)),
    "breaking": Named(
        "Its streams break after the second event; re-attaching repeats a chunk.",
        Behaviour(work_s=0.5, steps=_STEPS, cut_after=2, cut_by="break", double_on_reattach=True),
    ),
    "stalling": Named("Its streams fall silent; the tasks go on.", Behaviour(work_s=0.5, steps=_STEPS, stall_after=2)),
    "garbled": Named("Answers with half of the JSON.", Behaviour(garbage="broken_json")),
    "website": Named("Answers with a web page.", Behaviour(garbage="html")),
    "lying": Named("Tells other ids than it gave.", Behaviour(wrong_ids=True, foreign_events=True)),
    "confused": Named(
        "Chunks twice and backwards, states too.",
        Behaviour(chunk=1, double_chunks=True, reorder_chunks=True, goes_back=True),
    ),
    "forgetful": Named("Restarts in the middle of its first task.", (Behaviour(forgets_after=2), _OK)),
    "stubborn": Named("Does not stop when canceled.", Behaviour(never_ends=True, cancel="ignored")),
    "late": Named("Confirms a cancel, and completes all the same.", Behaviour(work_s=1.0, steps=_STEPS, cancel="late")),
    "pausing": Named("Says nothing for a minute in the middle.", Behaviour(steps=_STEPS, silence_s=60.0)),
    "memoryless": Named("Knows neither ListTasks nor history.", Behaviour(lists=False, keeps_history=False)),
    "moody": Named(
        "Fails one task of five and is overloaded for one send of ten, at random, with the delays of a real service.",
        Script(
            (
                Behaviour(work_s=LogNormal(0.2, 0.6)),
                Behaviour(work_s=LogNormal(0.2, 0.6), end="failed", end_text="out of ideas"),
                Behaviour(http_error=503, retry_after=0.5),
            ),
            "random",
            (0.7, 0.2, 0.1),
        ),
    ),
    "chattering": Named("Tells 100,000 updates at once.", Behaviour(updates=100_000)),
    "gushing": Named("Answers with 1 GB, made while it is read.", Behaviour(gush=1_000_000_000)),
    "forging": Named("Pushes with a wrong token.", Behaviour(work_s=0.5, steps=_STEPS, push="wrong_token")),
    "repeating": Named("Pushes everything twice.", Behaviour(work_s=0.5, steps=_STEPS, push="doubled")),
    "muddled": Named("Pushes the end first.", Behaviour(work_s=0.5, steps=_STEPS, push="reordered")),
    "unreliable": Named("Takes a webhook and never pushes.", Behaviour(work_s=0.5, steps=_STEPS, push="never")),
    "guarded": Named("Refuses a send because of its webhook.", Behaviour(work_s=0.5, steps=_STEPS, push="refused")),
    "huge": Named("Answers with 100 MB.", Behaviour(oversized=100_000_000)),
}
