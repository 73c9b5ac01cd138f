"""Files travel to the agents that read their type, through a whole coordinator."""

from coordinator import testing
from coordinator.testing import Behaviour, Specialist, answers
from tests.planning.making import Part, text
from tests.policies.rig import coordinating, given, told


def a_file(name, media_type):
    return Part("text", f"in {name}", media_type, name)


def reader(name, *modes):
    return Specialist(name, told(name), card={"defaultInputModes": list(modes)})


READERS = (reader("csv", "text/csv"), reader("plain", "text/plain"), reader("rest", "*/*"))


def two_stages(**second):
    unpack = {"fan_out": {"to": {"agents": ["unpack"]}}, "merge": "concat"}
    to = {"agents": ["csv", "plain", "rest"]}
    split = {"of": "unpack", "batch": 9, "at_least": 0}
    read = {"fan_out": {"to": to, "split": split, "message": False, "by_type": True}, "merge": "concat"}
    return {
        "name": "unpacking",
        "description": "Unpacks, then reads.",
        "input_modes": ["text/plain"],
        "stages": {"unpack": unpack, "read": read | second},
    }


async def test_what_a_stage_brings_goes_on_by_its_type(tmp_path):
    found = (
        {"parts": [{"text": "1,2", "filename": "a.csv", "mediaType": "text/csv"}], "artifactId": "a"},
        {"parts": [{"text": "??", "filename": "b.zip", "mediaType": "application/zip"}], "artifactId": "b"},
    )
    unpack = Specialist("unpack", Behaviour(artifacts=found))
    async with testing.fleet((unpack, *READERS)) as fleet, coordinating(tmp_path, fleet, two_stages()) as coordinator:
        answer = await coordinator.ask(text("unpack this"))
        assert answer.state == "COMPLETED"
        assert sorted(answer.parts) == ["csv", "rest"]
        assert given(fleet, "csv") == [["a.csv"]]
        assert given(fleet, "rest") == [["b.zip"]]
        assert given(fleet, "plain") == []


async def test_a_later_stage_without_anything_to_split_ends_with_nothing_where_the_plan_allows_it(tmp_path):
    unpack = Specialist("unpack", Behaviour(artifacts=(answers.data({"none": True}),)))
    async with testing.fleet((unpack, *READERS)) as fleet, coordinating(tmp_path, fleet, two_stages()) as coordinator:
        answer = await coordinator.ask(text("unpack this"))
    assert answer.state == "COMPLETED", answer.reason
    assert answer.record["verdict"] == "complete"
    assert list(answer.branches) == ["unpack/unpack"]
