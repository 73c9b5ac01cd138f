"""Every option of a plan makes a difference: the table says which, and the schema says what is missing in it.

Each row runs a whole coordinator twice, with the option and without it, in front of agents that do the
same both times.
"""

import copy
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from coordinator import testing
from coordinator.core.merging.synthesize import INSTRUCTION
from coordinator.outbound.run_times import FEWEST
from coordinator.planning import plan_schema
from coordinator.testing import Behaviour, Fleet, Specialist, answers
from tests.planning.making import Document, Part, data, files, text
from tests.policies.rig import Answer, coordinating, given, release, settled, told
from tests.protocol.clients import bare_http

SOON, LATE_S = "50ms", 0.6
AT_ONCE = "1ms..1ms"


@dataclass(frozen=True)
class Seen:
    """One run: what the client got, what the agents were asked, and the card of the plan."""

    answer: Answer
    fleet: Fleet
    card: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """An option, a plan that has it, and what is seen with and without it."""

    option: str  #: a path in the plan; `*` stands for the only stage, or the only parameter
    plan: Document
    seen: Callable[[Seen], Any]
    expected: Any
    without: Any
    instead: Document | None = None  #: beside the option, when a plan cannot do without it
    staff: tuple[Specialist | str, ...] = ("ada", "bob")
    parts: tuple[Part, ...] = (text("hello"),)
    asked: Document | None = None
    release_after: int = 10_000  #: who is held goes on as soon as so many branches have settled
    to_the_end: bool = False  #: questions are waited out
    rounds: int = 1  #: so many messages, one after the other; the last one is looked at

    def plans(self) -> tuple[Document, Document]:
        """Return the plan with the option and without it."""
        without = copy.deepcopy(self.plan)
        place, (*path, last) = without, self.option.split(".")
        for step in path:
            place = next(iter(place.values())) if step == "*" else place[step]
        del place[next(iter(place)) if last == "*" else last]
        place.update(self.instead or {})
        return self.plan, without


def state(seen: Seen) -> str:
    return seen.answer.state


def parts(seen: Seen) -> list[Any]:
    return seen.answer.parts


def branches(seen: Seen) -> list[str]:
    return list(seen.answer.branches) if not seen.answer.refusal else []


def failures(seen: Seen) -> list[str]:
    """Return why branches failed."""
    return [branch["error"]["kind"] for branch in seen.answer.branches.values() if "error" in branch]


def default_in_hours(seen: Seen) -> float:
    """Return how long after the question its default applies."""
    words = seen.answer.task.status.message.parts[0].text
    at = dt.datetime.fromisoformat(re.search(r"by (\S+Z)", words)[1])
    return (at.timestamp() - seen.answer.task.status.timestamp.seconds) / 3600


def sends(seen: Seen, name: str) -> list[Any]:
    """Return the messages an agent was sent."""
    return [received for received in seen.fleet[name].received if received.operation == "send"]


def asked_agents(seen: Seen) -> list[str]:
    return sorted(name for name, agent in seen.fleet.agents.items() if agent.counts.sends)


def sent(*agents: str) -> Callable[[Seen], list[list[Any]]]:
    return lambda seen: given(seen.fleet, *agents)


def plan(fan_out: Document | None = None, /, **fields: Any) -> Document:
    """Return a plan with one stage, which asks ada and bob."""
    of_plan = {
        key: fields.pop(key)
        for key in ("tags", "input_modes", "parameters", "deadline", "retry_budget", "ask", "unanswered")
        if key in fields
    }
    stage = {"fan_out": {"to": {"agents": ["ada", "bob"]}} | (fan_out or {})} | fields
    return {"name": "a-plan", "description": "One.", "stages": {"only": stage}} | of_plan


def stages(first: Document, second: Document, **fields: Any) -> Document:
    """Return a plan with two stages: ada does the first, bob the second."""
    made = {
        "first": {"fan_out": {"to": {"agents": ["ada"]}} | first},
        "second": {"fan_out": {"to": {"agents": ["bob"]}} | second},
    }
    return {"name": "a-plan", "description": "Two.", "stages": made} | fields


ADA, BOB = Specialist("ada", told("ada")), Specialist("bob", told("bob"))
SLOW_ADA, HELD_BOB = Specialist("ada", told("ada", work_s=LATE_S)), Specialist("bob", told("bob", holds=("end",)))
NO_ADA = Specialist("ada", Behaviour(end="rejected"))
FLAKY_ADA = Specialist("ada", [Behaviour(end="failed"), told("ada")])
TIRED_ADA = Specialist("ada", [*[told("ada")] * FEWEST, told("ada", work_s=1.3)])
ASKING_ADA = Specialist("ada", Behaviour(end="input_required", end_text="which?"))
LATE_BOB = Specialist("bob", told("bob", work_s=2.0))
ONLY_ADA = {"to": {"agents": ["ada"]}}
EITHER = {"to": {"agents": ["ada", "bob"], "most": 1}}
FILES = (text("look"), *files("a", "b", "c", "d"))
TONE = {"tone": {"default": "dry"}}
SKILLED = ("eve", Specialist("ada", skills=("read",), tags=("fast",)), "bob")
REVIEWS = (
    Specialist("ada", Behaviour(artifacts=(answers.findings(answers.finding(confidence=60)),))),
    Specialist("bob", Behaviour(artifacts=(answers.findings(answers.finding(rule="B1", path="b.py")),))),
)
POEMS = (
    Specialist("ada", Behaviour(artifacts=(answers.data({"rhymes": True, "sure": 1}),))),
    Specialist("bob", Behaviour(artifacts=(answers.data({"rhymes": False, "sure": 2}),))),
)
CONTRADICTION = (
    {"items": [{"id": 1, "severity": "high", "confidence": 50}]},
    {"items": [{"id": 1, "severity": "low", "confidence": 90}]},
)
DOUBTFUL = (
    {"items": [{"id": 1, "text": "a poem about the sea"}]},
    {"items": [{"id": 2, "text": "a song about the sea"}]},
)
JUDGE = Specialist("eve", Behaviour(artifacts=(answers.data({"same": ["1"]}),)))
EQUALS = ({"items": [{"id": "first", "confidence": 10}]}, {"items": [{"id": "second", "confidence": 90}]})
ODD_REVIEW = Specialist("ada", Behaviour(artifacts=(answers.data({"schema": "findings/v1", "findings": "none"}),)))


def observed(**rule: Any) -> Document:
    return plan(ONLY_ADA, limits={"branch_timeout": {"at_least": "1ms", "at_most": "20s"} | rule})


def names(seen: Seen) -> list[str]:
    return [artifact.name for artifact in seen.answer.task.artifacts]


def kinds(seen: Seen) -> list[str]:
    return [type(part).__name__ for part in seen.answer.parts]


def items(seen: Seen) -> int:
    """Return how many items the report has."""
    return len(seen.answer.parts[0]["items"])


def ranked(name: str) -> Callable[[Seen], list[Any]]:
    """Return what looks at one field of every merged item, in order of rank."""
    return lambda seen: [item["item"].get(name) for item in seen.answer.parts[0]["items"]]


def by_hand(ada: Document, bob: Document, *, also: Specialist | None = None, **options: Any) -> Document:
    """Return the plan and the staff of a row about `items`: each agent answers with one document."""
    staff = [
        Specialist(name, Behaviour(artifacts=(answers.data(said),))) for name, said in (("ada", ada), ("bob", bob))
    ]
    return {"plan": plan(merge={"strategy": "items"} | options), "staff": (*staff, also) if also else tuple(staff)}


def listed(*found: Document) -> Document:
    return {"items": list(found)}


ROWS = [
    Row(
        option="name",
        plan=plan(),
        instead={"name": "another"},
        seen=lambda seen: (seen.answer.record["plan"], seen.card["name"]),
        expected=("a-plan", "a-plan"),
        without=("another", "another"),
    ),
    Row(
        option="description",
        plan=plan(),
        instead={"description": "Another."},
        seen=lambda seen: seen.card["description"],
        expected="One.",
        without="Another.",
    ),
    Row(
        option="tags",
        plan=plan(tags=["poems"]),
        seen=lambda seen: seen.card["skills"][0]["tags"],
        expected=["poems"],
        without=["fan-out"],
    ),
    Row(
        option="input_modes",
        plan=plan(input_modes=["image/png"]),
        seen=state,
        expected="refused",
        without="COMPLETED",
    ),
    Row(
        option="parameters.*.description",
        plan=plan(parameters={"tone": {"description": "How it shall sound."}}),
        seen=lambda seen: "How it shall sound." in seen.answer.refusal,
        expected=True,
        without=False,
    ),
    Row(
        option="parameters.*.default",
        plan=plan({"template": "Be $tone.", "message": False}, parameters=TONE),
        seen=lambda seen: sent()(seen) or state(seen),
        expected=[["Be dry."], ["Be dry."]],
        without="refused",
    ),
    Row(
        option="parameters.*.values",
        plan=plan(parameters={"tone": {"values": ["dry", "kind"]}}),
        asked={"parameters": {"tone": "loud"}},
        seen=state,
        expected="refused",
        without="COMPLETED",
    ),
    Row(
        option="beside",
        plan=stages({}, {}, answer="first") | {"beside": ["second"]},
        staff=(ADA, BOB),
        seen=parts,
        expected=["ada", "bob"],
        without=["ada"],
    ),
    Row(
        option="deadline",
        plan=plan(ONLY_ADA, deadline=SOON),
        staff=(SLOW_ADA,),
        seen=failures,
        expected=["deadline"],
        without=[],
    ),
    Row(
        option="retry_budget",
        plan=plan(ONLY_ADA, retry_budget=0, on_failure={"retry": {"backoff": AT_ONCE}}),
        staff=(FLAKY_ADA,),
        seen=state,
        expected="FAILED",
        without="COMPLETED",
    ),
    Row(
        option="ask",
        plan=plan(ask="soon"),
        staff=(ASKING_ADA, LATE_BOB),
        seen=lambda seen: (state(seen), seen.fleet["bob"].counts.cancels),
        expected=("INPUT_REQUIRED", 1),
        without=("INPUT_REQUIRED", 0),
    ),
    Row(
        option="unanswered.after",
        plan=plan(unanswered={"after": "1h"}),
        staff=(ASKING_ADA, "bob"),
        seen=lambda seen: round(default_in_hours(seen)),
        expected=1,
        without=7 * 24,
    ),
    Row(
        option="unanswered.then",
        plan=plan(unanswered={"after": SOON, "then": "skip"}, barrier={"need": 1}),
        staff=(ASKING_ADA, BOB),
        to_the_end=True,
        seen=state,
        expected="COMPLETED",
        without="FAILED",
    ),
    Row(
        option="stages.*.fan_out.keep_message_id",
        plan=plan(ONLY_ADA | {"keep_message_id": True}),
        seen=lambda seen: [len(received.params["message"]["messageId"]) for received in sends(seen, "ada")],
        expected=[36],
        without=[49],
    ),
    Row(
        option="answer",
        plan=stages({}, {"uses": ["first"]}, answer="first"),
        staff=(ADA, BOB),
        seen=parts,
        expected=["ada"],
        without=["bob"],
    ),
    Row(
        option="stages.*.fan_out.to.skill",
        plan=plan({"to": {"skill": "read"}}),
        instead={"agents": ["bob"]},
        staff=SKILLED,
        seen=asked_agents,
        expected=["ada"],
        without=["bob"],
    ),
    Row(
        option="stages.*.fan_out.to.tag",
        plan=plan({"to": {"tag": "fast"}}),
        instead={"agents": ["bob"]},
        staff=SKILLED,
        seen=asked_agents,
        expected=["ada"],
        without=["bob"],
    ),
    Row(
        option="stages.*.fan_out.to.agents",
        plan=plan({"to": {"agents": ["eve"]}}),
        instead={"skill": "work"},
        staff=SKILLED,
        seen=asked_agents,
        expected=["eve"],
        without=["bob", "eve"],
    ),
    Row(
        option="stages.*.fan_out.to.most",
        plan=plan({"to": {"skill": "work", "most": 1}}),
        seen=asked_agents,
        expected=["ada"],
        without=["ada", "bob"],
    ),
    Row(
        option="stages.second.fan_out.split.of",
        plan=stages({}, {"split": {"of": "first", "items": "found", "batch": 1}}, answer="second"),
        staff=(Specialist("ada", Behaviour(artifacts=(answers.data({"found": ["x", "y", "z"]}),))), BOB),
        parts=(data({"found": ["m"]}),),
        seen=lambda seen: seen.fleet["bob"].counts.tasks,
        expected=3,
        without=1,
    ),
    Row(
        option="stages.*.fan_out.split.items",
        plan=plan({"split": {"items": "lines"}}),
        parts=(text("one\ntwo"), *files("a")),
        seen=sent(),
        expected=[["one"], ["two"]],
        without=[["one\ntwo", "a"]],
    ),
    Row(
        option="stages.*.fan_out.split.batch",
        plan=plan({"split": {"batch": 1}}),
        parts=FILES,
        seen=branches,
        expected=["only/1", "only/2", "only/3", "only/4"],
        without=["only/1", "only/2"],
    ),
    Row(
        option="stages.*.fan_out.split.into",
        plan=plan({"split": {"into": 3}}),
        parts=FILES,
        seen=branches,
        expected=["only/1", "only/2", "only/3"],
        without=["only/1", "only/2"],
    ),
    Row(
        option="stages.*.fan_out.by_type",
        plan=plan({"by_type": True}),
        parts=(text("look"), *files("a"), text("b", "b.txt")),
        seen=sent(),
        expected=[["look", "b.txt"]],
        without=[["look", "a", "b.txt"]] * 2,
        staff=(Specialist("ada", card={"defaultInputModes": ["image/*"]}), "bob"),
    ),
    Row(
        option="stages.*.fan_out.split.at_least",
        plan=plan({"split": {"at_least": 5}}),
        parts=FILES,
        seen=sent(),
        expected=[["look", "a", "b", "c", "d"]],
        without=[["look", "a", "b"], ["look", "c", "d"]],
    ),
    Row(
        option="stages.*.fan_out.planned_by",
        plan=plan({"planned_by": "client"}),
        asked={"tasks": [{"id": "one", "text": "go"}]},
        seen=lambda seen: branches(seen) or state(seen),
        expected=["only/one"],
        without="refused",
    ),
    Row(
        option="stages.*.fan_out.template",
        plan=plan(ONLY_ADA | {"template": "Be kind."}),
        seen=sent(),
        expected=[["Be kind.", "hello"]],
        without=[["hello"]],
    ),
    Row(
        option="stages.second.fan_out.uses",
        plan=stages({}, {"uses": ["first"]}, answer="second"),
        staff=(ADA, BOB),
        seen=sent("bob"),
        expected=[["hello", "ada"]],
        without=[["hello"]],
    ),
    Row(
        option="stages.*.fan_out.message",
        plan=plan(ONLY_ADA | {"template": "Be kind.", "message": False}),
        seen=sent(),
        expected=[["Be kind."]],
        without=[["Be kind.", "hello"]],
    ),
    Row(
        option="stages.*.fan_out.most_sub_tasks",
        plan=plan({"most_sub_tasks": 1}),
        seen=state,
        expected="refused",
        without="COMPLETED",
    ),
    Row(
        option="stages.*.limits.concurrency",
        plan=plan(limits={"concurrency": 1}),
        staff=(Specialist("ada", Behaviour(work_s=0.2)), Specialist("bob", Behaviour(work_s=0.2))),
        seen=lambda seen: seen.fleet.counts.most_open,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.limits.scope",
        plan=plan(EITHER, limits={"concurrency": 1, "scope": "global"}, on_failure={"hedge": SOON}),
        staff=(Specialist("ada", Behaviour(work_s=0.4)), Specialist("bob", Behaviour(work_s=0.4))),
        seen=lambda seen: seen.fleet.counts.most_open,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.limits.branch_timeout",
        plan=plan(ONLY_ADA, limits={"branch_timeout": SOON}),
        staff=(SLOW_ADA,),
        seen=failures,
        expected=["timed_out"],
        without=[],
    ),
    Row(
        option="stages.*.limits.branch_timeout.p95_times",
        plan=observed(p95_times=1000),
        staff=(TIRED_ADA,),
        rounds=FEWEST + 1,
        seen=state,
        expected="COMPLETED",
        without="FAILED",
    ),
    Row(
        option="stages.*.limits.branch_timeout.at_least",
        plan=observed(at_least="10s"),
        staff=(TIRED_ADA,),
        rounds=FEWEST + 1,
        seen=state,
        expected="COMPLETED",
        without="FAILED",
    ),
    Row(
        option="stages.*.limits.branch_timeout.at_most",
        plan=observed(at_most=SOON),
        instead={"at_most": "20s"},
        staff=(SLOW_ADA,),
        seen=state,
        expected="FAILED",
        without="COMPLETED",
    ),
    Row(
        option="stages.*.limits.deadline",
        plan=plan(ONLY_ADA, limits={"deadline": SOON}),
        staff=(SLOW_ADA,),
        seen=failures,
        expected=["deadline"],
        without=[],
    ),
    Row(
        option="stages.*.on_failure.retry.attempts",
        plan=plan(ONLY_ADA, on_failure={"retry": {"attempts": 1, "backoff": AT_ONCE}}),
        staff=(FLAKY_ADA,),
        seen=state,
        expected="FAILED",
        without="COMPLETED",
    ),
    Row(  # a delay that ends behind the deadline is not waited for
        option="stages.*.on_failure.retry.backoff",
        plan=plan(ONLY_ADA, on_failure={"retry": {"backoff": "60s..60s"}}, deadline="20s"),
        staff=(FLAKY_ADA,),
        seen=state,
        expected="FAILED",
        without="COMPLETED",
    ),
    Row(
        option="stages.*.on_failure.fallback",
        plan=plan(EITHER, on_failure={"fallback": 1}),
        staff=(NO_ADA, BOB),
        seen=lambda seen: (state(seen), parts(seen)),
        expected=("COMPLETED", ["bob"]),
        without=("FAILED", []),
    ),
    Row(
        option="stages.*.on_failure.hedge",
        plan=plan(EITHER, on_failure={"hedge": SOON}),
        staff=(SLOW_ADA, BOB),
        seen=lambda seen: (parts(seen), seen.fleet["ada"].counts.cancels),
        expected=(["bob"], 1),
        without=(["ada"], 0),
    ),
    Row(
        option="stages.*.on_failure.exhausted",
        plan=plan(on_failure={"exhausted": "fail_fast"}),
        staff=(NO_ADA, HELD_BOB),
        release_after=1,
        seen=lambda seen: (state(seen), seen.answer.outcomes["only/bob"], seen.fleet["bob"].counts.cancels),
        expected=("FAILED", "canceled", 1),
        without=("FAILED", "succeeded", 0),
    ),
    Row(
        option="stages.*.barrier.release",
        plan=plan(barrier={"release": "first"}),
        staff=(ADA, HELD_BOB),
        release_after=1,
        seen=lambda seen: (parts(seen), seen.fleet["bob"].counts.cancels),
        expected=(["ada"], 1),
        without=(["ada", "bob"], 0),
    ),
    Row(
        option="stages.*.barrier.need",
        plan=plan(barrier={"need": 1}),
        staff=(NO_ADA, BOB),
        seen=lambda seen: (state(seen), seen.answer.record["verdict"]),
        expected=("COMPLETED", "partial"),
        without=("FAILED", "failed"),
    ),
    Row(
        option="stages.*.barrier.stragglers",
        plan=plan(barrier={"release": "first", "stragglers": "continue"}),
        staff=(ADA, HELD_BOB),
        release_after=1,
        seen=lambda seen: ([artifact.artifact_id for artifact in seen.answer.task.artifacts], parts(seen)),
        expected=(["only/merged", "only/late"], ["ada", "bob"]),
        without=(["only/merged"], ["ada"]),
    ),
    Row(
        option="stages.*.merge",
        plan=plan(merge="by_agent"),
        seen=kinds,
        expected=["dict"],
        without=["str", "str"],
    ),
    Row(
        option="stages.*.merge.strategy",
        plan=plan(merge={"strategy": "by_agent", "name": "poem"}),
        seen=kinds,
        expected=["dict"],
        without=["str", "str"],
    ),
    Row(
        option="stages.*.merge.name",
        plan=plan(merge={"strategy": "concat", "name": "poem"}),
        seen=names,
        expected=["poem"],
        without=["result"],
    ),
    Row(
        option="stages.*.merge.min_confidence",
        plan=plan(merge={"strategy": "findings", "min_confidence": 80}),
        staff=REVIEWS,
        seen=items,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.merge.min_votes",
        plan=plan(merge={"strategy": "findings", "min_votes": 2}),
        staff=REVIEWS,
        seen=items,
        expected=0,
        without=2,
    ),
    Row(
        option="stages.*.merge.output_keys.*",
        plan=plan(merge={"strategy": "by_agent", "output_keys": {"ada": "poem"}}),
        seen=lambda seen: seen.answer.parts[0].get("state"),
        expected={"poem": "done"},
        without=None,
    ),
    Row(
        option="stages.*.merge.field",
        plan=plan(merge={"strategy": "vote", "field": "rhymes"}),
        staff=POEMS,
        seen=lambda seen: seen.answer.parts[0]["winner"],
        expected=True,
        without={"rhymes": True, "sure": 1},
    ),
    Row(
        option="stages.*.merge.confidence",
        plan=plan(merge={"strategy": "best", "confidence": "sure"}),
        staff=POEMS,
        seen=parts,
        expected=[{"rhymes": False, "sure": 2}],
        without=[{"rhymes": True, "sure": 1}],
    ),
    Row(
        option="stages.*.merge.agent",
        plan=plan(merge={"strategy": "synthesize", "agent": "eve"}),
        instead={"strategy": "concat"},
        staff=("ada", "bob", Specialist("eve", told("an essay"))),
        seen=parts,
        expected=["an essay"],
        without=["done", "done"],
    ),
    Row(
        option="stages.*.merge.instruction",
        plan=plan(merge={"strategy": "synthesize", "agent": "eve", "instruction": "Rhyme."}),
        staff=("ada", "bob", Specialist("eve", told("an essay"))),
        seen=lambda seen: given(seen.fleet, "eve")[0][0],
        expected="Rhyme.",
        without=INSTRUCTION,
    ),
    Row(
        option="stages.*.merge.progressive",
        plan=plan(merge={"strategy": "concat", "progressive": True}),
        seen=lambda seen: [(chunk.append, chunk.last_chunk) for chunk in seen.answer.chunks],
        expected=[(False, False), (True, True)],
        without=[(False, True)],
    ),
    Row(
        option="stages.*.merge.clash",
        plan=plan(merge={"strategy": "json", "clash": "last"}),
        staff=POEMS,
        seen=lambda seen: seen.answer.parts[0],
        expected={"rhymes": False, "sure": 2},
        without={"rhymes": True, "sure": 1},
    ),
    Row(
        option="stages.*.merge.items",
        **by_hand({"out": [{"id": 1}]}, {"out": [{"id": 2}]}, items="out"),
        seen=items,
        expected=2,
        without=0,
    ),
    Row(
        option="stages.*.merge.key",
        **by_hand(listed({"id": 1, "at": 7}), listed({"id": 2, "at": 7}), key=["at"]),
        seen=items,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.merge.text",
        **by_hand(listed({"id": 1, "told": "a poem"}), listed({"id": 2, "told": "a poem"}), text="told", similarity=90),
        seen=items,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.merge.similarity",
        **by_hand(listed({"id": 1, "text": "a poem"}), listed({"id": 2, "text": "A poem"}), similarity=90),
        seen=items,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.merge.judge",
        **by_hand(*DOUBTFUL, similarity=90, judge="eve", also=JUDGE),
        seen=items,
        expected=1,
        without=2,
    ),
    Row(
        option="stages.*.merge.doubt",
        **by_hand(*DOUBTFUL, similarity=90, judge="eve", doubt=89, also=JUDGE),
        seen=items,
        expected=2,
        without=1,
    ),
    Row(
        option="stages.*.merge.location",
        **by_hand(
            listed({"id": 1, "text": "a poem", "line": 1}),
            listed({"id": 2, "text": "a poem", "line": 2}),
            similarity=90,
            location=["line"],
        ),
        seen=items,
        expected=2,
        without=1,
    ),
    Row(
        option="stages.*.merge.block",
        **by_hand(
            listed({"id": 1, "text": "a poem", "book": "x"}),
            listed({"id": 2, "text": "a poem", "book": "y"}),
            similarity=90,
            block=["book"],
        ),
        seen=items,
        expected=2,
        without=1,
    ),
    Row(
        option="stages.*.merge.severity",
        **by_hand(listed({"id": 1, "how": "low"}), listed({"id": 2, "how": "high"}), severity="how"),
        seen=ranked("id"),
        expected=[2, 1],
        without=[1, 2],
    ),
    Row(
        option="stages.*.merge.severities",
        **by_hand(
            listed({"id": 1, "severity": "dull"}), listed({"id": 2, "severity": "awful"}), severities=["awful", "dull"]
        ),
        seen=ranked("id"),
        expected=[2, 1],
        without=[1, 2],
    ),
    Row(
        option="stages.*.merge.claims",
        **by_hand(listed({"id": 1, "rhymes": True}), listed({"id": 1, "rhymes": False}), claims=["rhymes"]),
        seen=lambda seen: seen.answer.record["merge"]["conflicts"],
        expected={"flag": 1},
        without={},
    ),
    Row(
        option="stages.*.merge.conflicts",
        **by_hand(*CONTRADICTION, conflicts="highest_confidence"),
        seen=ranked("severity"),
        expected=["low"],
        without=["high"],
    ),
    Row(
        option="stages.*.merge.conflicts.*",
        **by_hand(*CONTRADICTION, conflicts={"trust": "bob"}),
        instead={"trust": "ada"},
        seen=ranked("severity"),
        expected=["low"],
        without=["high"],
    ),
    Row(
        option="stages.*.merge.weights.*",
        **by_hand(*CONTRADICTION, weights={"agreement": 1, "confidence": 1}),
        seen=lambda seen: seen.answer.parts[0]["items"][0]["score"],
        expected=95.0,
        without=90.0,
    ),
    Row(
        option="stages.*.merge.ties",
        **by_hand(*EQUALS, ties="order"),
        seen=ranked("id"),
        expected=["first", "second"],
        without=["second", "first"],
    ),
    Row(
        option="stages.*.expect",
        plan=plan(ONLY_ADA, expect="findings"),
        staff=(ODD_REVIEW,),
        seen=lambda seen: failures(seen) or state(seen),
        expected=["malformed"],
        without="COMPLETED",
    ),
]


async def seen(row: Row, document: Document, tmp_path) -> Any:
    """Run a plan and return what the row looks at."""
    async with testing.fleet(row.staff) as fleet:

        def watch(progress: Mapping[str, Any]) -> None:
            if settled(progress) >= row.release_after:
                release(fleet)

        async with coordinating(tmp_path, fleet, document) as coordinator, bare_http() as http:
            card = (await http.get(f"{coordinator.url}/{document['name']}/.well-known/agent-card.json")).json()
            for _ in range(row.rounds):
                answer = await coordinator.ask(*row.parts, asked=row.asked, watch=watch, to_the_end=row.to_the_end)
        return row.seen(Seen(answer, fleet, card))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.option)
async def test_an_option_makes_the_difference_the_table_states(row, tmp_path):
    plan_with, plan_without = row.plans()
    assert row.expected != row.without
    assert await seen(row, plan_with, tmp_path) == row.expected
    assert await seen(row, plan_without, tmp_path) == row.without


def options(schema: Document, node: Document, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of every field that holds a value, through references, choices and mappings."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if node.get("type") == "null":  # a field may always be left out
        return
    fields = list(node.get("properties", {}).items())
    if isinstance(node.get("additionalProperties"), dict):
        fields.append(("*", node["additionalProperties"]))
    fields += [("*", value) for value in node.get("patternProperties", {}).values()]
    for name, value in fields:
        yield from options(schema, value, (*path, name))
    for choice in node.get("anyOf", ()):
        yield from options(schema, choice, path)
    if not fields and "anyOf" not in node:
        yield ".".join(path)


def test_every_option_of_a_plan_has_a_row():
    schema = plan_schema()
    there = set(options(schema, schema))
    rows = {row.option.replace(".second.", ".*.") for row in ROWS}
    assert there - rows == set(), "options without a row"
    assert rows - there == set(), "rows without an option"


def test_a_new_option_would_be_missed():
    schema = plan_schema()
    schema["$defs"]["BarrierFile"]["properties"]["mood"] = {"type": "string"}
    assert "stages.*.barrier.mood" in set(options(schema, schema))
