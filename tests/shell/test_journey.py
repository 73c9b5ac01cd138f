"""What a task that comes from another coordinator says about its journey."""

import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator.core.extension import ENVELOPE
from coordinator.core.model import Journey
from coordinator.errors import RequestRefused
from coordinator.inbound.journey import arrival
from coordinator.outbound.envelope import Envelope
from coordinator.wire import struct_out

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def came(envelope=None, *, headers=None, max_hops=8):
    metadata = None if envelope is None else struct_out({ENVELOPE: envelope})
    return arrival(a2a.Message(metadata=metadata), headers or {}, here="me", max_hops=max_hops)


def test_a_task_straight_from_a_client_starts_its_journey_here():
    assert came().journey == Journey(via=("me",))
    assert (came().remaining_s, came().rejection) == (None, "")


def test_the_coordinators_passed_and_the_time_left_are_taken_over():
    arrived = came({"remainingMs": 1500, "hops": 1, "via": ["first"]})
    assert arrived.journey.via == ("first", "me")
    assert arrived.remaining_s == 1.5
    assert arrived.rejection == ""


def test_a_ring_is_rejected_and_named():
    arrived = came({"hops": 3, "via": ["first", "me", "second"]})
    assert arrived.journey.ring == ("me", "second", "me")
    assert "me -> second -> me" in arrived.rejection


@pytest.mark.parametrize("envelope", [{"hops": 2, "via": ["a", "b"]}, {"hops": 2}, {"via": ["a", "b"]}])
def test_too_many_hops_are_rejected_whichever_way_they_are_told(envelope):
    assert "has passed 2 coordinators already" in came(envelope, max_hops=2).rejection
    assert came(envelope, max_hops=3).rejection == ""


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        ({"remainingMs": -1}, "remainingMs"),
        ({"remainingMs": "soon"}, "remainingMs"),
        ({"hops": -1}, "hops"),
        ({"via": "first"}, "via"),
        ({"via": ["x"] * 65}, "via"),
        ({"via": ["x" * 501]}, "via.0"),
        (7, ENVELOPE),
    ],
    ids=str,
)
def test_a_wrong_envelope_is_refused_by_its_field(envelope, field):
    with pytest.raises(RequestRefused) as refusal:
        came(envelope)
    assert refusal.value.field.endswith(field)


def test_fields_of_later_versions_are_ignored():
    assert came({"hops": 0, "budget": 3}).rejection == ""


@pytest.mark.parametrize(("header", "kept"), [(TRACE, TRACE), ("garbage", ""), (TRACE + "-more", "")])
def test_only_a_whole_trace_context_is_kept(header, kept):
    assert came(headers={"traceparent": header}).journey.trace == kept


def test_what_goes_on_tells_hops_way_and_the_time_that_is_left():
    told = Envelope(Journey(via=("first", "me")), remaining_s=1.2345).as_json()
    assert told == {"hops": 2, "via": ["first", "me"], "remainingMs": 1234}
    assert "remainingMs" not in Envelope(Journey(via=("me",))).as_json()
    assert Envelope(Journey(), remaining_s=-3).as_json()["remainingMs"] == 0


def test_the_trace_goes_on_with_a_span_of_our_own_the_same_for_a_repeat():
    envelope = Envelope(Journey(trace=TRACE))
    (first, again, other) = (envelope.headers(message)["traceparent"] for message in ("m", "m", "n"))
    assert first == again != other
    assert first.split("-")[1] == TRACE.split("-")[1]
    assert first.split("-")[2] != TRACE.split("-")[2]
    assert Envelope(Journey()).headers("m") == {}
