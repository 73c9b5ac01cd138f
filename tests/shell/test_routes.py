"""Which plan a message gets: the parameter, the endpoint, the routes, the default."""

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator.app import checked_plans
from coordinator.config import load_settings
from coordinator.errors import ConfigurationError, RequestRefused
from coordinator.inbound import Intake

NAMES = ("other", "by-text", "by-id", "by-both")
ROUTES = [
    {"plan": "by-both", "text": "urgent", "message_id": "^vip-"},
    {"plan": "by-text", "text": "(?i)please review"},
    {"plan": "by-id", "message_id": "^review-"},
]


@pytest.fixture
def intake(tmp_path):
    for name in NAMES:
        plan = {"name": name, "description": "d", "stages": {"s": {"fan_out": {"to": {"skill": "x"}}}}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(plan))
    settings = load_settings(None, {"plans": [str(tmp_path)], "default_plan": "other", "routes": ROUTES})
    return Intake(settings, checked_plans(settings), None, None, None, None)


def message(text="", message_id="m"):
    return a2a.Message(message_id=message_id, parts=[a2a.Part(raw=b"x"), a2a.Part(text="first"), a2a.Part(text=text)])


@pytest.mark.parametrize(
    ("parameter", "endpoint", "said", "plan"),
    [
        ("other", "by-id", message("Please review it"), "other"),
        ("", "by-id", message("Please review it"), "by-id"),
        ("", "", message("Please review it"), "by-text"),
        ("", "", message(message_id="review-1"), "by-id"),
        ("", "", message("urgent", "vip-1"), "by-both"),
        ("", "", message("urgent", "review-1"), "by-id"),
        ("", "", message("hello"), "other"),
    ],
    ids=["parameter", "endpoint", "text", "messageId", "both patterns", "one of both is not enough", "default"],
)
def test_the_order_of_choice(intake, parameter, endpoint, said, plan):
    assert intake.choose(parameter, endpoint, said).name == plan


def test_an_unknown_plan_is_refused_by_the_field_that_named_it(intake):
    for parameter, endpoint, field in (("nope", "", ".plan"), ("", "nope", "tenant")):
        with pytest.raises(RequestRefused) as refusal:
            intake.choose(parameter, endpoint, message())
        assert refusal.value.field.endswith(field)


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ({"plan": "code-review"}, "a route needs a pattern"),
        ({"plan": "code-review", "text": "("}, "routes.0.text"),
        ({"text": "x"}, "routes.0.plan"),
    ],
)
def test_a_wrong_route_is_named(route, told):
    with pytest.raises(ConfigurationError, match=told):
        load_settings(None, {"routes": [route]})


def test_a_route_to_a_plan_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match=r"routes\.0\.plan: there is no plan 'nope'"):
        checked_plans(load_settings(None, {"routes": [{"plan": "nope", "text": "x"}]}))
