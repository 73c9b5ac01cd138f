"""`findings`: one item for each thing found, nothing lost, nothing invented, in one order."""

import copy
from collections import Counter
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.merging import Contribution, Findings, Source
from coordinator.core.merging.findings import SEVERITIES
from coordinator.core.model import Part
from tests.core.reviews import contribution, document, finding, items_of

FINDINGS = st.builds(
    finding,
    kind=st.sampled_from(["shell-injection", "unused-import"]),
    path=st.sampled_from(["app.py", "lib.py"]),
    statement=st.integers(1, 3),
    severity=st.sampled_from(list(SEVERITIES)),
    confidence=st.integers(0, 100),
    message=st.sampled_from(["one", "two"]),
)
CONTRIBUTIONS = st.lists(
    st.builds(
        lambda agent, documents: Contribution(
            Source(agent, f"review/{agent}", f"remote-{agent}", "findings"), tuple(document(*one) for one in documents)
        ),
        st.sampled_from(["complexity", "lint", "security", "types"]),
        st.lists(st.lists(FINDINGS, max_size=4), max_size=2),
    ),
    max_size=5,
)


def received_by(contributions):
    return [
        (one.source.agent, found)
        for one in contributions
        for part in one.parts
        if isinstance(part.content, dict) and part.content.get("schema") == "findings/v1"
        for found in part.content["findings"]
    ]


# -- identity -------------------------------------------------------------------------------------


def test_one_thing_seen_by_two_agents_is_one_item_with_two_votes():
    elsewhere = {"startLine": 15, "startColumn": 1, "endLine": 15, "endColumn": 9}
    one = finding(confidence=70, severity="medium")
    other = finding(rule="B602", range=elsewhere, confidence=95, severity="low", message="subprocess with shell")
    merging = Findings()([contribution("lint", one), contribution("security", other)])
    (item,) = items_of(merging)
    assert (item["rank"], item["votes"], item["confidence"], item["severity"]) == (1, 2, 95, "medium")
    assert (item["message"], item["range"]) == ("subprocess with shell", elsewhere), "the most confident one speaks"
    assert [(source["agent"], source["rule"]) for source in item["sources"]] == [("lint", "S602"), ("security", "B602")]
    assert merging.summary == {
        "received": 2,
        "merged": 1,
        "duplicates": 1,
        "dropped": {"min_confidence": 0, "min_votes": 0},
        "by_agent": {"lint": 1, "security": 1},
    }


@pytest.mark.parametrize("change", [{"path": "b.py"}, {"kind": "unused-import"}, {"statement": 14}, {"symbol": "os"}])
def test_another_path_kind_statement_or_symbol_is_another_thing(change):
    assert len(items_of(Findings()([contribution("lint", finding(), finding(**change))]))) == 2


@pytest.mark.parametrize(
    "change",
    [{"rule": "B1"}, {"range": {}}, {"message": "other"}, {"severity": "low"}, {"confidence": 1}, {"tool": {}}],
)
def test_tools_may_disagree_on_everything_else(change):
    assert len(items_of(Findings()([contribution("lint", finding(), finding(**change))]))) == 1


def test_a_symbol_is_shown_when_there_is_one():
    items = items_of(Findings()([contribution("lint", finding(symbol="os"), finding(symbol=""), finding())]))
    assert [item.get("symbol") for item in items] == [None, "os"]


def test_an_agent_has_one_vote_however_often_it_repeats_itself():
    (item,) = items_of(Findings()([contribution("lint", finding(), finding()), contribution("lint", finding())]))
    assert item["votes"] == 1
    assert len(item["sources"]) == 3


def test_among_equally_confident_sources_the_first_in_plan_order_speaks():
    one, other = finding(message="first"), finding(message="second")
    (item,) = items_of(Findings()([contribution("lint", one), contribution("security", other)]))
    assert item["message"] == "first"


def test_a_source_says_who_found_it_where_and_how():
    ((source,),) = [item["sources"] for item in items_of(Findings()([contribution("lint", finding())]))]
    assert source == {
        "agent": "lint",
        "branch": "review/lint",
        "taskId": "remote-lint",
        "artifactId": "findings",
        "rule": "S602",
        "message": "a shell starts with input from outside",
        "range": {"startLine": 13, "startColumn": 5, "endLine": 13, "endColumn": 20},
        "severity": "high",
        "confidence": 90,
        "tool": {"name": "ruff", "version": "0.14"},
    }


# -- near-duplicates and contradictions, where the plan wants them ---------------------------------

ELSEWHERE = {"startLine": 14, "startColumn": 1, "endLine": 14, "endColumn": 2}


@pytest.mark.parametrize(
    ("change", "count"),
    [({}, 1), ({"message": "nobody needs this"}, 2), ({"path": "b.py"}, 2), ({"range": ELSEWHERE}, 2)],
)
def test_findings_of_another_kind_at_one_place_in_similar_words_may_be_the_same(change, count):
    other = finding(kind="shell", statement=12, symbol="os", confidence=10, **change)
    answers = [contribution("lint", finding()), contribution("types", other)]
    assert len(items_of(Findings()(answers))) == 2
    assert len(items_of(Findings(similarity=90)(answers))) == count


def test_the_source_of_a_similar_finding_says_what_it_took_it_for():
    other = finding(kind="shell", statement=12, symbol="os", confidence=10)
    (item,) = items_of(Findings(similarity=90)([contribution("lint", finding()), contribution("types", other)]))
    assert (item["kind"], item["statement"], item["votes"]) == ("shell-injection", 13, 2)
    named = [{name: source.get(name) for name in ("kind", "statement", "symbol")} for source in item["sources"]]
    assert named == [
        {"kind": None, "statement": None, "symbol": None},
        {"kind": "shell", "statement": 12, "symbol": "os"},
    ]


def test_a_plan_may_say_which_severity_counts():
    answers = [contribution("lint", finding(confidence=50)), contribution("types", finding(severity="low"))]
    merging = Findings(conflicts="highest_confidence")(answers)
    (item,) = items_of(merging)
    assert item["severity"] == "low"
    assert item["conflicts"][0]["by"] == "highest_confidence"
    assert merging.summary["conflicts"] == {"highest_confidence": 1}


def test_an_item_says_whose_words_it_uses_and_why_it_ranks_where_it_ranks():
    sure, unsure = finding(confidence=90), finding(confidence=80)
    (item,) = items_of(Findings()([contribution("lint", unsure), contribution("types", sure), contribution("x")]))
    assert item["words"] == {"agent": "types", "source": 1}
    assert item["because"] == "severity high, 2 of 3 agents, confidence 90"


def test_the_rank_may_be_weighed():
    worse, agreed = finding(kind="a", severity="critical"), finding(kind="b", severity="info")
    answers = [contribution("lint", worse, agreed), contribution("types", agreed)]
    assert [item["kind"] for item in items_of(Findings(weights={"agreement": 1})(answers))] == ["b", "a"]


# -- nothing lost, nothing invented ---------------------------------------------------------------


@given(CONTRIBUTIONS)
def test_without_thresholds_every_finding_is_a_source_of_exactly_one_item(contributions):
    received = received_by(contributions)
    items = items_of(Findings()(contributions))

    def told(agent, path, kind, statement, found):
        return (agent, path, kind, statement, found["message"], found["severity"], found["confidence"])

    assert Counter(
        told(source["agent"], item["path"], item["kind"], item["statement"], source)
        for item in items
        for source in item["sources"]
    ) == Counter(told(agent, one["path"], one["kind"], one["statement"], one) for agent, one in received)


@given(CONTRIBUTIONS, st.integers(0, 100), st.integers(1, 3))
def test_the_summary_accounts_for_every_finding(contributions, min_confidence, min_votes):
    merging = Findings(min_confidence, min_votes)(contributions)
    received, summary, items = received_by(contributions), merging.summary, items_of(merging)
    assert summary["received"] == len(received) == sum(summary["by_agent"].values())
    assert summary["merged"] == len(items)
    assert summary["received"] == summary["merged"] + summary["duplicates"] + sum(summary["dropped"].values())
    assert summary["by_agent"] == {
        one.source.agent: sum(agent == one.source.agent for agent, _ in received) for one in contributions
    }


@given(CONTRIBUTIONS, st.integers(0, 100), st.integers(1, 3))
def test_exactly_what_is_below_a_threshold_is_dropped(contributions, min_confidence, min_votes):
    everything = [without_rank(item) for item in items_of(Findings()(contributions))]
    merging = Findings(min_confidence, min_votes)(contributions)
    confident = [item for item in everything if item["confidence"] >= min_confidence]
    kept = [item for item in confident if item["votes"] >= min_votes]
    assert [without_rank(item) for item in items_of(merging)] == kept
    assert merging.summary["dropped"] == {
        "min_confidence": len(everything) - len(confident),
        "min_votes": len(confident) - len(kept),
    }


@given(CONTRIBUTIONS)
def test_an_item_has_the_votes_and_the_strongest_words_of_its_sources(contributions):
    for item in items_of(Findings()(contributions)):
        sources = item["sources"]
        assert item["votes"] == len({source["agent"] for source in sources})
        assert item["confidence"] == max(source["confidence"] for source in sources)
        assert SEVERITIES[item["severity"]] == min(SEVERITIES[source["severity"]] for source in sources)
        spokesman = next(source for source in sources if source["confidence"] == item["confidence"])
        assert item["message"] == spokesman["message"]


def test_parts_that_are_no_findings_are_passed_over():
    others = (Part("text", "all is well"), Part("data", {"schema": "other"}), Part("data", [1]), Part("raw", b"x"))
    source = Source("lint", "review/lint", "remote", "findings")
    merging = Findings()([Contribution(source, (*others, document(finding())))])
    assert merging.summary["received"] == 1


def test_an_agent_that_found_nothing_is_listed_with_nothing():
    merging = Findings()([contribution("lint"), contribution("types", finding())])
    assert merging.summary["by_agent"] == {"lint": 0, "types": 1}
    assert merging.artifact.description == "1 findings from 2 agents, 0 duplicates joined."


@given(CONTRIBUTIONS)
def test_merging_leaves_the_contributions_as_they_were(contributions):
    before = copy.deepcopy(contributions)
    assert Findings()(contributions) == Findings()(before)
    assert contributions == before


# -- rank -----------------------------------------------------------------------------------------


def rank_key(item):
    return (
        SEVERITIES[item["severity"]],
        -item["votes"],
        -item["confidence"],
        item["path"],
        item["statement"],
        item["kind"],
    )


def without_rank(item):
    return {name: value for name, value in item.items() if name != "rank"}


@given(CONTRIBUTIONS)
def test_the_rank_is_a_total_order(contributions):
    items = items_of(Findings()(contributions))
    assert [item["rank"] for item in items] == list(range(1, len(items) + 1))
    assert all(rank_key(one) < rank_key(other) for one, other in pairwise(items))


@given(st.lists(FINDINGS, max_size=6))
def test_the_rank_does_not_depend_on_which_agent_comes_first(findings):
    shares = [contribution(name, *findings[start::3]) for start, name in enumerate(["lint", "security", "types"])]
    orders = {tuple(rank_key(item) for item in items_of(Findings()(order))) for order in permutations(shares)}
    assert len(orders) == 1


def test_worse_comes_first_then_more_votes_then_more_confidence():
    found = {
        "critical": finding(kind="a", severity="critical", confidence=1),
        "voted": finding(kind="b", confidence=50),
        "sure": finding(kind="c", confidence=99),
        "unsure": finding(kind="d", confidence=98),
        "info": finding(kind="e", severity="info", confidence=100),
    }
    merging = Findings()([contribution("lint", *reversed(found.values())), contribution("types", found["voted"])])
    assert [item["kind"] for item in items_of(merging)] == ["a", "b", "c", "d", "e"]


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"min_confidence": -1}, {"min_confidence": 101}, {"min_votes": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Findings(**options)


@pytest.mark.parametrize("options", [{"min_confidence": 0}, {"min_confidence": 100}, {"min_votes": 1}])
def test_options_at_the_edge_of_their_range_are_taken(options):
    assert Findings(**options)([]).summary["merged"] == 0
