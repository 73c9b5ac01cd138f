"""Lists of sub-tasks that a client or a planner agent made up: checked like any stranger's input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coordinator.core.model import Stage
from coordinator.errors import RequestRefused
from coordinator.planning import Asked, PlannedTask, expand, resolve
from tests.planning.making import a_stage, an_agent, candidate, data, files, plan, text

ADA, BOB, EVE = an_agent("ada", "read"), an_agent("bob", "read", "write"), an_agent("eve", "write")
STAGE = Stage("work", agents=(ADA, BOB), stand_ins=(EVE,), planned_by="planner", most_sub_tasks=5, fallback=9)
MESSAGE = [text("please"), *files("a.py")]


def a_task(id_="one", **fields):
    """Return a task of a list; its text is its id unless it has other content."""
    return {"id": id_} | ({"text": id_} if not fields.keys() & {"text", "parts", "after"} else {}) | fields


def drafts(*tasks, stage=STAGE):
    """Return the sub-tasks of a list a planner answered with."""
    return expand(stage, {"message": MESSAGE, "planner": [text("here you are"), data({"tasks": list(tasks)})]})


def refused(*tasks, stage=STAGE):
    """Return field and words of the refusal a list meets."""
    with pytest.raises(RequestRefused) as refusal:
        drafts(*tasks, stage=stage)
    return f"{refusal.value.field}: {refusal.value}"


def test_tasks_go_to_the_agents_in_turn_and_the_others_stand_in():
    made = drafts(a_task("one"), a_task("two"), a_task("three"))
    assert [(draft.id, draft.agent.name) for draft in made] == [("one", "ada"), ("two", "bob"), ("three", "ada")]
    assert [agent.name for agent in made[0].others] == ["bob", "eve"]


def test_a_task_may_name_its_agent_or_a_skill_and_nobody_else_stands_in():
    named, skilled = drafts(a_task("one", agent="bob"), a_task("two", skill="write"))
    assert (named.agent.name, named.others) == ("bob", ())
    assert (skilled.agent.name, [agent.name for agent in skilled.others]) == ("bob", ["eve"])


def test_a_task_gets_its_text_and_the_parts_of_the_message_it_names():
    (draft,) = drafts(a_task(text="do it", parts=[1, 0]))
    assert [part.filename or part.content for part in draft.parts] == ["do it", "a.py", "please"]


def test_a_task_waits_for_those_it_names():
    assert [draft.after for draft in drafts(a_task("one"), a_task("two", after=["one"]))] == [(), ("one",)]


def test_a_template_stands_before_every_planned_task():
    stage = Stage("work", agents=(ADA,), planned_by="planner", template="Mind the $$.")
    (draft,) = drafts(a_task(text="go"), stage=stage)
    assert [part.content for part in draft.parts] == ["Mind the $.", "go"]


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([a_task(agent="nobody")], "tasks.0.agent: agent nobody is not to be had; there are: ada, bob"),
        ([a_task(agent="")], "tasks.0.agent: agent  is not to be had"),
        ([a_task(agent="eve")], "tasks.0.agent: agent eve is not to be had"),
        ([a_task(skill="poetry")], "tasks.0.skill: skill poetry is not to be had"),
        ([a_task(agent="ada", skill="write")], "tasks.0.skill: skill write is not to be had"),
        ([a_task(), a_task()], "tasks.1.id: 'one' is there twice"),
        ([a_task(after=["two"])], "tasks.0.after: 'two' is none of the tasks"),
        ([a_task(after=["one"])], "tasks: tasks wait for each other in a circle: one <- one"),
        ([a_task(after=["two"]), a_task("two", after=["one"])], "tasks: tasks wait for each other in a circle"),
        ([a_task(parts=[2])], "tasks.0.parts: the message has no part 2; it has 2, from 0"),
        ([a_task(parts=[-1])], "tasks.0.parts: the message has no part -1"),
        ([a_task(str(n)) for n in range(6)], "work: 6 sub-tasks are more than the 5 allowed"),
        ([], "planner: the plan is wrong: tasks"),
        ([{"id": "one"}], "planner: the plan is wrong: tasks.0: a task needs text, parts or after"),
        ([{"text": "go"}], "planner: the plan is wrong: tasks.0.id"),
        ([a_task("../etc")], "planner: the plan is wrong: tasks.0.id"),
        ([a_task("x" * 65)], "planner: the plan is wrong: tasks.0.id"),
        ([a_task("")], "planner: the plan is wrong: tasks.0.id"),
        ([a_task("two\nlines")], "planner: the plan is wrong: tasks.0.id"),
        ([a_task("one\n")], "planner: the plan is wrong: tasks.0.id"),
        ([a_task(), a_task("two", url="http://evil.example/")], "planner: the plan is wrong: tasks.1.url"),
        ([a_task(parts=["a.py"])], "planner: the plan is wrong: tasks.0.parts.0"),
        ([a_task(after="one")], "planner: the plan is wrong: tasks.0.after"),
        (["go"], "planner: the plan is wrong: tasks.0"),
    ],
)
def test_a_wrong_list_is_refused_with_the_field(tasks, told):
    assert told in refused(*tasks)


@pytest.mark.parametrize("answer", [None, 7, "tasks", [], {}, {"tasks": 1}, {"tasks": {}}, {"tasks": [], "x": 1}])
def test_an_answer_that_is_no_list_is_refused_under_the_planners_name(answer):
    with pytest.raises(RequestRefused, match="the plan is wrong") as refusal:
        expand(STAGE, {"message": MESSAGE, "planner": [data(answer)]})
    assert refusal.value.field == "planner"


@pytest.mark.parametrize("number", [0, 2])
def test_a_planner_answers_with_exactly_one_document(number):
    answer = [text("sorry"), *[data({"tasks": [a_task()]})] * number]
    with pytest.raises(RequestRefused, match=f"one data part, not with {number}"):
        expand(STAGE, {"message": MESSAGE, "planner": answer})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
IDS = st.sampled_from(["one", "two", "three", ""]) | st.text(max_size=3)
TASKS = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "text": st.text(max_size=3),
        "parts": st.lists(st.integers(-2, 3), max_size=2),
        "agent": st.sampled_from(["ada", "bob", "eve", "", "nobody"]),
        "skill": st.sampled_from(["read", "write", "poetry"]),
        "after": st.lists(IDS, max_size=2),
    },
)


@given(answer=JSON | st.fixed_dictionaries({"tasks": st.lists(TASKS | JSON, max_size=7)}))
def test_whatever_a_planner_answers_is_a_bounded_list_for_allowed_agents_or_refused(answer):
    try:
        made = expand(STAGE, {"message": MESSAGE, "planner": [data(answer)]})
    except RequestRefused:
        return
    ids = [draft.id for draft in made]
    assert 0 < len(made) <= STAGE.most_sub_tasks
    assert len(set(ids)) == len(ids)
    assert all(draft.agent in {ADA, BOB} and set(draft.others) <= {ADA, BOB, EVE} for draft in made)
    assert all(set(draft.after) <= set(ids) for draft in made)


def test_a_list_far_beyond_the_bound_is_refused_before_anything_is_made_of_it():
    endless = [a_task(str(number), after=[str(number + 1)]) for number in range(20_000)]
    assert refused(*endless) == "work: 20000 sub-tasks are more than the 5 allowed"


CLIENT = plan({"only": a_stage(planned_by="client", most_sub_tasks=2)})
AGENTS = [candidate("ada", skills=["review"])]


def test_the_clients_list_is_expanded_at_once_and_waits_for_no_stage():
    resolved = resolve(CLIENT, AGENTS, Asked(tasks=[PlannedTask(id="one", text="go")]), MESSAGE)
    assert [draft.id for draft in resolved.drafts["only"]] == ["one"]
    assert resolved.plan.stages[0].draws_on == ()


@pytest.mark.parametrize("tasks", [None, []])
def test_a_plan_that_works_on_a_list_needs_one(tasks):
    with pytest.raises(RequestRefused, match="works on a list of sub-tasks the message has to give") as refusal:
        resolve(CLIENT, AGENTS, Asked(tasks=tasks), MESSAGE)
    assert refusal.value.field == "tasks"


def test_a_plan_that_makes_its_own_sub_tasks_takes_no_list():
    with pytest.raises(RequestRefused, match="makes its own sub-tasks") as refusal:
        resolve(plan(), AGENTS, Asked(tasks=[PlannedTask(id="one", text="go")]), MESSAGE)
    assert refusal.value.field == "tasks"


def test_the_clients_list_is_bounded_as_well():
    tasks = [PlannedTask(id=str(number), text="go") for number in range(3)]
    with pytest.raises(RequestRefused, match="3 sub-tasks are more than the 2 allowed"):
        resolve(CLIENT, AGENTS, Asked(tasks=tasks), MESSAGE)


def test_a_task_of_the_client_with_nothing_to_send_is_refused():
    with pytest.raises(ValidationError, match="nothing to send"):
        PlannedTask(id="one")
