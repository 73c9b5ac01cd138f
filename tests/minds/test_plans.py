"""The plans that ship for minds, whole: a client, the coordinator, the agents, and the endpoint behind them."""

import json
import re
from contextlib import asynccontextmanager

import jsonschema_rs
import pytest
import yaml

from coordinator import testing
from coordinator.config import PLANS
from coordinator.planning import load_plans, plan_schema
from specialist_agents.minds.stand_in import StandIn, Trouble, by_rule
from specialist_agents.minds.testing import all_thinking, configured, standing_in
from tests.minds.rig import CONTRACT
from tests.planning.making import text
from tests.policies.rig import coordinating

FILES = sorted((PLANS / "minds").glob("*.yaml"))
VIEWS = ("legal-view", "technical-view", "financial-view", "security-view")


def shipped(name):
    return yaml.safe_load((PLANS / "minds" / f"{name}.yaml").read_text(encoding="utf-8"))


@asynccontextmanager
async def network(folder, plan, names, stand_in, **endpoint):
    """Serve a coordinator with the shipped *plan* over the minds of these *names*."""
    async with (
        testing.fleet(["spare"]) as fleet,
        standing_in(stand_in) as url,
        all_thinking(names, configured(url, **endpoint)) as urls,
        coordinating(folder, fleet, shipped(plan), agents=tuple(urls)) as it,
    ):
        yield it


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_plans_that_ship_are_valid_and_fit_the_schema_for_editors(file):
    assert load_plans([file]).keys() == {file.stem}
    jsonschema_rs.validate(plan_schema(), yaml.safe_load(file.read_text("utf-8")))


def test_the_default_plans_are_without_them():
    assert not load_plans([PLANS]).keys() & load_plans([PLANS / "minds"]).keys()


async def test_four_perspectives_on_one_document_come_back_by_agent_with_what_they_have_cost(tmp_path):
    stand_in = StandIn()
    async with network(tmp_path, "perspectives", VIEWS, stand_in) as it:
        answer = await it.ask(text(CONTRACT, "contract.md"))
    assert answer.state == "COMPLETED"
    answers = answer.parts[0]["answers"]
    assert set(answers) == set(VIEWS)
    for name, (said,) in answers.items():
        assert said["text"].startswith(f"(stand-in) {name} was given 15 words, number of parts: 1.")
    assert all(CONTRACT in heard.material for heard in stand_in.heard)
    usage = answer.record["merge"]["usage"]
    assert set(usage["by_agent"]) == set(VIEWS)
    assert usage["total"]["requests"] == 4
    assert usage["total"]["output_tokens"] == sum(one["output_tokens"] for one in usage["by_agent"].values()) > 0


async def test_a_perspective_that_fails_is_asked_again_by_the_plan(tmp_path):
    stand_in = StandIn(troubles=[Trouble(401)])
    async with network(tmp_path, "perspectives", VIEWS, stand_in, attempts=1) as it:
        answer = await it.ask(text(CONTRACT, "contract.md"))
    assert answer.state == "COMPLETED"
    assert sorted(branch["attempts"] for branch in answer.branches.values()) == [1, 1, 1, 2]


async def test_a_report_is_written_from_the_four_perspectives(tmp_path):
    stand_in = StandIn()
    async with network(tmp_path, "perspectives-report", (*VIEWS, "model-synthesizer"), stand_in) as it:
        answer = await it.ask(text(CONTRACT, "contract.md"))
    assert answer.state == "COMPLETED"
    assert answer.parts[0].startswith("(stand-in) model-synthesizer was given ")
    assert answer.record["merge"]["written_by"] == "model-synthesizer"
    writing = stand_in.heard[-1]
    assert "Write one answer from what follows" in writing.material
    assert [name for name in VIEWS if f'said-by="{name}"' in writing.material] == list(VIEWS)


async def test_a_model_plans_others_do_it_and_a_model_writes_it_up(tmp_path):
    stand_in = StandIn()
    names = (*VIEWS, "model-planner", "model-synthesizer")
    async with network(tmp_path, "planned-report", names, stand_in) as it:
        answer = await it.ask(text("What matters?"), text(CONTRACT, "contract.md"))
    assert answer.state == "COMPLETED"
    asked = dict.fromkeys(("read/legal-view", "read/technical-view", "read/financial-view"), "succeeded")
    assert answer.outcomes == asked | {"plan/model-planner": "succeeded", "read.merge/model-synthesizer": "succeeded"}
    (legal,) = [heard.material for heard in stand_in.heard if "agent legal-view." in heard.instructions]
    assert "Look for: duties, rights, liability, data protection." in legal
    assert CONTRACT in legal
    assert answer.parts[0].startswith("(stand-in) model-synthesizer was given ")
    assert answer.parts[0].splitlines()[0].endswith(" words, number of parts: 3.")


async def test_sections_are_read_one_by_one_and_written_up_by_rule(tmp_path):
    document = "# Contract\n\n## Service\n\nWithin 4 hours.\n\n## Price\n\n900 euros a month.\n"
    stand_in = StandIn()
    async with network(tmp_path, "by-section", ("legal-view", "rule-planner", "rule-synthesizer"), stand_in) as it:
        answer = await it.ask(text(document))
    assert answer.state == "COMPLETED"
    assert [branch for branch in answer.outcomes if branch.startswith("read/")] == ["read/section-1", "read/section-2"]
    assert ["## Price" in heard.material for heard in stand_in.heard].count(True) == 1
    assert answer.parts[0].startswith("# Synthesis\n\n## Overview")
    assert "(stand-in) legal-view was given" in answer.parts[0]
    assert answer.record["merge"]["written_by"] == "rule-synthesizer"


def planning(*tasks):
    """A model that answers with these tasks when it plans."""

    def write(instructions, material):
        plans = '{"tasks":' in instructions
        return json.dumps({"tasks": tasks}) if plans else by_rule(instructions, material)

    return StandIn(write)


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([{"id": str(number), "text": "go"} for number in range(9)], "9 sub-tasks are more than the 8 allowed"),
        (
            [{"id": "a", "text": "go", "agent": "tax-view"}],
            "agent tax-view is not to be had; there are: financial-view",
        ),
        ([{"id": "a", "text": "go", "after": ["b"]}, {"id": "b", "text": "go", "after": ["a"]}], "in a circle"),
        ([{"id": "a", "text": "go", "parts": [7]}], "the message has no part 7"),
        ([{"id": "a", "do": "go"}], "the plan is wrong: tasks.0.do"),
        ([], "the plan is wrong: tasks"),
    ],
    ids=["too many", "a stranger", "a circle", "no such part", "another form", "nothing"],
)
async def test_a_wrong_plan_of_a_model_fails_the_task_with_the_reason_and_nobody_else_is_asked(tmp_path, tasks, told):
    stand_in = planning(*tasks)
    names = (*VIEWS, "model-planner", "model-synthesizer")
    async with network(tmp_path, "planned-report", names, stand_in) as it:
        answer = await it.ask(text(CONTRACT, "contract.md"))
    assert answer.state == "FAILED"
    assert "stage read has no sub-tasks" in answer.reason
    assert told in answer.reason
    assert len(stand_in.heard) == 1


async def test_a_model_that_does_not_plan_at_all_fails_the_task_with_its_reason(tmp_path):
    names = (*VIEWS, "model-planner", "model-synthesizer")
    async with network(tmp_path, "planned-report", names, StandIn(lambda *_: "No.")) as it:
        answer = await it.ask(text(CONTRACT, "contract.md"))
    assert answer.state == "FAILED"
    assert "did not answer with a list of sub-tasks" in str(answer.branches["plan/model-planner"]["error"])


DRAFTERS = ("short-draft", "warm-draft", "formal-draft")
JUDGES = ("clarity-judge", "reader-judge", "fidelity-judge")


def drafting(votes):
    """A model that drafts by the agent's name, and votes as *votes* say, by agent."""

    def write(instructions, _):
        (name,) = re.findall(r"You are the agent ([\w-]+)", instructions)
        return votes.get(name) or f"Dear customer, says {name}."

    return StandIn(write)


def ballot(choice, **more):
    return json.dumps({"choice": choice, "why": "so"} | more)


async def test_three_drafts_are_put_to_the_vote_and_come_beside_it(tmp_path):
    votes = {
        "clarity-judge": ballot("warm-draft", confidence=60),
        "reader-judge": f"I choose:\n```json\n{ballot('warm-draft')}\n```",
        "fidelity-judge": ballot("formal-draft", confidence=99),
    }
    stand_in = drafting(votes)
    async with network(tmp_path, "drafts", (*DRAFTERS, *JUDGES), stand_in) as it:
        answer = await it.ask(text("Answer the customer."))
    assert answer.state == "COMPLETED"
    tally, _, *drafts = answer.parts
    assert (tally["winner"], tally["votes"]) == ("warm-draft", 2)
    assert drafts == [f"Dear customer, says {name}." for name in DRAFTERS]
    judged = [heard for heard in stand_in.heard if "-judge" in heard.instructions.split(".")[0]]
    assert len(judged) == 3
    for heard in judged:
        assert [name for name in DRAFTERS if f'said-by="{name}"' in heard.material] == list(DRAFTERS)
        assert "Answer the customer." in heard.material


@pytest.mark.parametrize("said", ["warm-draft", ballot("my-own"), "[]", '{"choice": ["warm-draft"]}'])
async def test_a_judge_that_chooses_nobody_there_is_has_no_vote(tmp_path, said):
    votes = {"clarity-judge": said, "reader-judge": ballot("short-draft"), "fidelity-judge": ballot("short-draft")}
    async with network(tmp_path, "drafts", (*DRAFTERS, *JUDGES), drafting(votes)) as it:
        answer = await it.ask(text("Answer the customer."), plan="drafts")
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert answer.outcomes["vote/clarity-judge"] == "failed"
    assert (answer.parts[0]["winner"], answer.parts[0]["votes"]) == ("short-draft", 2)


async def test_the_stand_in_votes_for_the_shortest_draft(tmp_path):
    async with network(tmp_path, "drafts", (*DRAFTERS, *JUDGES), StandIn()) as it:
        answer = await it.ask(text("Answer the customer."))
    tally, _, *drafts = answer.parts
    assert tally["votes"] == 3
    assert DRAFTERS[[len(draft) for draft in drafts].index(min(map(len, drafts)))] == tally["winner"]


async def test_documents_are_summarised_by_a_model_in_the_order_they_were_sent(tmp_path):
    names = [f"report-{number}.md" for number in range(5)]
    stand_in = StandIn(lambda _, material: re.findall(r'name="(.*?)"', material)[0])
    async with network(tmp_path, "model-summaries", ("model-summarizer",), stand_in) as it:
        answer = await it.ask(*(text(f"About {name}.", name) for name in names))
    assert (answer.state, answer.parts) == ("COMPLETED", names)
    assert len(stand_in.heard) == len(names)
