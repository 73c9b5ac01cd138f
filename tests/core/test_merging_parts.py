"""`concat` and `by_agent`: parts keep what they are and say where they came from."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.extension import SOURCE
from coordinator.core.merging import STRATEGIES, ByAgent, Concat, Contribution, Source
from coordinator.core.model import Part

TEXT = Part("text", "looks fine", "text/plain")
DATA = Part("data", {"score": 7}, "application/json")
FILE = Part("raw", b"%PDF", "application/pdf", "report.pdf", {"pages": 2})
LINK = Part("url", "https://example.test/log", "text/plain", "log.txt")

PARTS = st.sampled_from([TEXT, DATA, FILE, LINK])


def contribution(agent: str, *parts: Part, branch: str = "") -> Contribution:
    return Contribution(Source(agent, branch or f"review/{agent}", f"remote-{agent}", "a1"), parts)


CONTRIBUTIONS = st.lists(
    st.builds(
        lambda agent, parts: contribution(agent, *parts),
        st.sampled_from(["lint", "security", "types"]),
        st.lists(PARTS, max_size=4),
    ),
    max_size=5,
)


def made(name):
    """Return a strategy with as few options as it takes."""
    return STRATEGIES[name](**({"agent": "writer"} if name == "synthesize" else {}))


def test_every_strategy_works_with_its_default_options_and_without_any_contribution():
    for name in STRATEGIES:
        assert made(name)([]).artifact.parts, "an artifact has at least one part (spec 4.1.7)"


def test_the_strategies_are_known_by_their_names_in_a_plan():
    assert list(STRATEGIES) == [
        "concat",
        "by_agent",
        "first",
        "best",
        "vote",
        "json",
        "items",
        "findings",
        "synthesize",
    ]


@pytest.mark.parametrize("name", STRATEGIES)
@given(given_parts=CONTRIBUTIONS)
def test_equal_contributions_give_equal_artifacts_and_stay_as_they_were(name, given_parts):
    before = copy.deepcopy(given_parts)
    first = made(name)(given_parts)
    assert given_parts == before
    assert made(name)(before) == first


# -- concat ---------------------------------------------------------------------------------------


def test_concat_keeps_every_part_in_plan_order():
    merging = Concat()([contribution("lint", TEXT, FILE), contribution("security", DATA, LINK)])
    assert [part.content for part in merging.artifact.parts] == [part.content for part in (TEXT, FILE, DATA, LINK)]
    assert merging.artifact.name == "result"
    assert merging.summary == {"parts": 4}


def test_concat_adds_nothing_but_a_note_of_where_a_part_came_from():
    (part,) = Concat()([contribution("lint", FILE)]).artifact.parts
    source = {"agent": "lint", "branch": "review/lint", "taskId": "remote-lint", "artifactId": "a1"}
    assert part == Part("raw", b"%PDF", "application/pdf", "report.pdf", {"pages": 2, SOURCE: source})
    assert FILE.metadata == {"pages": 2}


def test_concat_of_nothing_is_an_empty_text():
    merging = Concat("answer")([contribution("lint")])
    assert merging.artifact.name == "answer"
    assert merging.artifact.parts == (Part("text", "", "text/plain"),)
    assert merging.summary == {"parts": 0}


@given(CONTRIBUTIONS)
def test_concat_loses_and_invents_no_part(contributions):
    received = [(one.source.agent, part.content) for one in contributions for part in one.parts]
    parts = Concat()(contributions).artifact.parts
    kept = [(part.metadata[SOURCE]["agent"], part.content) for part in parts if SOURCE in part.metadata]
    assert kept == received


# -- by agent -------------------------------------------------------------------------------------


def test_by_agent_puts_each_answer_under_its_agent_in_plan_order():
    merging = ByAgent()([contribution("types", TEXT), contribution("lint", DATA, TEXT)])
    (document,) = merging.artifact.parts
    assert (document.kind, document.media_type) == ("data", "application/json")
    assert document.content["schema"] == "by-agent/v1"
    answers = document.content["answers"]
    assert list(answers) == ["types", "lint"]
    source = {"agent": "lint", "branch": "review/lint", "taskId": "remote-lint", "artifactId": "a1"}
    assert answers["lint"] == [{**source, "data": {"score": 7}}, {**source, "text": "looks fine"}]
    assert merging.summary == {"agents": 2}


def test_by_agent_names_a_file_by_the_number_of_its_part():
    parts = ByAgent("answers")([contribution("lint", TEXT, FILE), contribution("types", LINK)]).artifact.parts
    answers = parts[0].content["answers"]
    assert [parts[answers[name][-1]["part"]].content for name in ("lint", "types")] == [FILE.content, LINK.content]
    assert answers["types"][0]["filename"] == "log.txt"
    assert answers["types"][0]["mediaType"] == "text/plain"
    assert parts[1].metadata["pages"] == 2
    assert parts[1].metadata[SOURCE]["agent"] == "lint"


def test_by_agent_keeps_two_branches_of_one_agent_apart():
    merging = ByAgent()([contribution("lint", TEXT, branch="review/1"), contribution("lint", TEXT, branch="review/2")])
    answers = merging.artifact.parts[0].content["answers"]
    assert [answer["branch"] for answer in answers["lint"]] == ["review/1", "review/2"]
    assert merging.summary == {"agents": 1}


@given(CONTRIBUTIONS)
def test_by_agent_loses_and_invents_no_part(contributions):
    document, *files = ByAgent()(contributions).artifact.parts
    told = [answer for answers in document.content["answers"].values() for answer in answers]
    received = [part for one in contributions for part in one.parts]
    assert len(told) == len(received)
    assert [part.content for part in files] == [part.content for part in received if part.kind in {"raw", "url"}]
    assert sorted(answer["part"] for answer in told if "part" in answer) == list(range(1, len(files) + 1))


def test_by_agent_shows_an_agent_that_answered_with_nothing():
    merging = ByAgent()([contribution("lint"), contribution("types", TEXT)])
    assert merging.artifact.parts[0].content["answers"]["lint"] == []


def test_by_agent_gives_what_an_agent_answered_a_key_of_its_own():
    contributions = [contribution("lint", DATA), contribution("types", TEXT, FILE), contribution("security", TEXT)]
    keys = {"lint": "style", "types": "checked", "nobody": "nothing"}
    document, file = ByAgent(output_keys=keys)(contributions).artifact.parts
    assert document.content["state"] == {
        "style": {"score": 7},
        "checked": ["looks fine", {"part": 1, "filename": "report.pdf", "mediaType": "application/pdf"}],
    }
    assert list(document.content["answers"]) == ["lint", "types", "security"]
    assert file.content == FILE.content


@pytest.mark.parametrize("keys", [{"lint": "a", "types": "a"}, {"lint": ""}])
def test_keys_that_would_hide_each_other_are_refused(keys):
    with pytest.raises(ValueError, match="output_keys"):
        ByAgent(output_keys=keys)
