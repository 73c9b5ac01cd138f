"""Who reports first makes no difference: the same outcomes give the same bytes, whatever the strategy."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.commands import Merge
from coordinator.core.model import AgentRef, Artifact, MergeSpec
from coordinator.merges import merge
from coordinator.wire import content_out, parts_in
from tests.core.answering import FILE, LINK, data, text
from tests.core.building import T0, Script
from tests.core.reviews import document, finding

FINDINGS = st.builds(
    finding,
    path=st.sampled_from(["a.py", "b.py"]),
    statement=st.integers(1, 2),
    severity=st.sampled_from(["high", "low"]),
    confidence=st.sampled_from([50, 90]),
    message=st.sampled_from(["one thing", "one thing!", "another"]),
)
OBJECTS = st.fixed_dictionaries(
    {"id": st.integers(1, 3)},
    optional={
        "text": st.sampled_from(["one thing", "one thing!", "another"]),
        "severity": st.sampled_from(["high", "low"]),
        "confidence": st.integers(0, 100),
    },
)
PARTS = st.one_of(
    st.sampled_from([text("yes"), text("no"), FILE, LINK]),
    st.lists(FINDINGS, max_size=3).map(lambda found: document(*found)),
    st.lists(OBJECTS, max_size=3).map(lambda found: data({"items": found, "confidence": len(found)})),
)
SPECS = [
    MergeSpec("concat"),
    MergeSpec("by_agent", {"output_keys": {"agent-a": "one", "agent-c": "two"}}),
    MergeSpec("first"),
    MergeSpec("best"),
    MergeSpec("vote"),
    MergeSpec("vote", {"field": "confidence"}),
    MergeSpec("json", {"clash": "first"}),
    MergeSpec("json", {"clash": "majority"}),
    MergeSpec("json", {"clash": "list"}),
    MergeSpec("items", {"similarity": 80, "conflicts": "majority"}),
    MergeSpec("items", {"similarity": 80, "weights": {"agreement": 0.3, "confidence": 0.1}}),
    MergeSpec("items", {"similarity": 95, "judge": "eve", "doubt": 30}),
    MergeSpec("findings"),
    MergeSpec("findings", {"similarity": 80, "conflicts": {"trust": "agent-b"}}),
]
EVE = AgentRef("eve", "https://eve.test")


def merged_after(spec, brought, order):
    """Return what is merged and journaled when the branches succeed in the given order."""
    script, bodies = Script(len(brought), merge=spec), {}
    for name in order:
        refs, payloads = parts_in(content_out(part) for part in brought[name])
        bodies |= {payload.digest: payload.body for payload in payloads}
        script.succeeds(name, artifacts=(Artifact("a1", refs, metadata={"usage": {"cost": 0.1 * len(refs)}}),))
    (command,) = script.open(Merge)
    merged, payloads = merge(replace(command, assistants=(EVE,)), bodies, T0)
    return merged, payloads


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.strategy} {dict(spec.options)}")
@settings(max_examples=25)
@given(brought=st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=1, max_size=4), random=st.randoms())
def test_the_same_outcomes_in_any_order_give_the_same_bytes(spec, brought, random):
    by_name = dict(zip("abcd", brought, strict=False))
    order = list(by_name)
    random.shuffle(order)
    assert merged_after(spec, by_name, order) == merged_after(spec, by_name, list(by_name))


def test_the_usage_the_agents_report_is_part_of_what_is_journaled():
    merged, _ = merged_after(SPECS[0], {"a": [text("x")], "b": [text("y"), text("z")]}, "ba")
    assert merged.summary["usage"] == {
        "total": {"cost": 0.3},
        "by_agent": {"agent-a": {"cost": 0.1}, "agent-b": {"cost": 0.2}},
    }
    assert merged.summary["parts"] == 3


def test_a_merge_that_asks_an_agent_nobody_knows_fails_with_its_reason():
    brought = {name: [data({"items": [{"id": 1, "severity": name}]})] for name in "ab"}
    with pytest.raises(ValueError, match="items asks judge, whom nobody knows"):
        merged_after(MergeSpec("items", {"conflicts": {"ask": "judge"}}), brought, "ab")
