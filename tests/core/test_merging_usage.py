"""Usage and cost that specialists report are summed for each agent and in all."""

import pytest

from coordinator.core.merging.usage import LARGEST, MOST_FIELDS, usage_summary
from coordinator.core.model import Artifact, Message, Outcome, Settled


def outcome(agent, *usages, message=None):
    artifacts = tuple(Artifact(f"a{n}", (), metadata={"usage": usage}) for n, usage in enumerate(usages))
    spoken = None if message is None else Message("m1", "agent", (), {"usage": message})
    return Outcome(f"only/{agent}", agent, Settled.SUCCEEDED, artifacts=artifacts, message=spoken)


def test_numbers_are_summed_for_each_agent_and_in_all():
    told = usage_summary(
        [
            outcome("ada", {"tokens": 100, "cost": 0.1}, {"tokens": 50}),
            outcome("bob", message={"tokens": 7, "cost": 0.2}),
            outcome("eve"),
            outcome("ada", {"tokens": 1}),
        ]
    )
    assert told == {
        "usage": {
            "total": {"tokens": 158, "cost": 0.3},
            "by_agent": {"ada": {"tokens": 151, "cost": 0.1}, "bob": {"tokens": 7, "cost": 0.2}},
        }
    }


def test_numbers_further_inside_are_named_by_their_path():
    told = usage_summary([outcome("ada", {"cost": {"usd": 1.5}, "model": "m1", "tokens": {"in": 2, "out": 3}})])
    assert told["usage"]["total"] == {"cost.usd": 1.5, "tokens.in": 2, "tokens.out": 3}


@pytest.mark.parametrize("usage", [None, 7, "many", [], {}, {"tokens": "7"}, {"tokens": True}, {"tokens": -1}])
def test_what_is_no_number_in_an_object_is_no_usage(usage):
    assert usage_summary([outcome("ada", usage)]) == {}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), LARGEST * 2])
def test_a_number_beyond_reason_is_no_usage(number):
    assert usage_summary([outcome("ada", {"tokens": number})]) == {}


def test_nobody_can_fill_the_record_with_fields():
    told = usage_summary([outcome("ada", {f"{n}" * 100: 1 for n in range(1000)}), outcome("bob", {"tokens": 1})])
    assert len(told["usage"]["by_agent"]["ada"]) == len(told["usage"]["total"]) == MOST_FIELDS
    assert max(len(name) for name in told["usage"]["total"]) == 64


def test_metadata_without_usage_tells_nothing():
    assert usage_summary([Outcome("only/a", "a", Settled.SUCCEEDED, artifacts=(Artifact("a", ()),))]) == {}
