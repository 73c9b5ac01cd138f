"""Places, asked for by tasks of this loop on a clock that stands still unless a test moves it."""

import asyncio

import pytest

from coordinator.core.events import AttemptFailed, AttemptSucceeded, TaskOpened
from coordinator.core.model import Failure, FailureKind, RemoteTask
from coordinator.outbound.breaker import Circuit
from coordinator.outbound.places import Caps, CircuitOpen, Places


class Crowd:
    """Attempts that wait for places, or have one until they are told to leave; `order` is who got one, in order."""

    def __init__(self, group, **caps):
        self.at = 0.0
        self.places = Places(Caps(**caps), now=lambda: self.at)
        self.order = []
        self.held = {}
        self.refused = {}
        self.tasks = {}
        self._group = group

    async def asks(self, *names):
        """Ask for places one after the other: `b2` is an attempt at agent `b`."""
        for name in names:
            self.tasks[name] = self._group.create_task(self._ask(name), name="asking")
            await settle()

    async def _ask(self, name):
        try:
            self.held[name] = await self.places.enter(name[0])
        except CircuitOpen as error:
            self.refused[name] = str(error)
        else:
            self.order.append(name)

    async def leave(self, *names):
        for name in names:
            self.held.pop(name).leave()
        await settle()

    def fails(self, name, kind=FailureKind.UNREACHABLE):
        failure = Failure(kind, "no")
        self.held[name].note(AttemptFailed(at=0.0, branch=name, attempt=1, failure=failure))

    def opens(self, name):
        self.held[name].note(TaskOpened(at=0.0, branch=name, attempt=1, remote=RemoteTask("t", "c")))

    def of(self, agent="a"):
        return self.places.occupancy(agent)


async def settle():
    """Let everybody run who can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def group():
    async with asyncio.TaskGroup() as group:
        yield group
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task.get_name() == "asking":
                task.cancel()


async def test_the_process_has_so_many_places_and_gives_them_in_the_order_they_were_asked_for(group):
    crowd = Crowd(group, process=2)
    await crowd.asks("a1", "b1", "c1", "a2", "b2")
    assert crowd.order == ["a1", "b1"]
    assert (crowd.places.in_use, crowd.places.waiting) == (2, 3)
    await crowd.leave("b1")
    await crowd.leave("a1")
    await crowd.leave("c1")
    assert crowd.order == ["a1", "b1", "c1", "a2", "b2"]
    assert (crowd.places.in_use, crowd.places.waiting) == (2, 0)


async def test_who_waits_for_a_full_agent_holds_nobody_up_and_goes_first_when_there_is_room(group):
    crowd = Crowd(group, process=2, agent=1)
    await crowd.asks("a1", "a2", "b1", "c1", "d1")
    assert crowd.order == ["a1", "b1"]
    await crowd.leave("a1")
    assert crowd.order[2:] == ["a2"]  # older than c1 and d1
    await crowd.leave("b1")
    assert crowd.order[3:] == ["c1"]


async def test_an_agent_may_have_its_own_number_of_places(group):
    crowd = Crowd(group)
    crowd.places.cap_of = {"a": 1}.get
    await crowd.asks("a1", "a2", "b1", "b2")
    assert crowd.order == ["a1", "b1", "b2"]
    assert (crowd.of("a").cap, crowd.of("a").waiting, crowd.of("b").cap) == (1, 1, 50)
    await crowd.leave("a1")


async def test_a_canceled_waiter_gives_its_turn_to_the_next(group):
    crowd = Crowd(group, process=1)
    await crowd.asks("a1", "a2", "b1", "b2")
    crowd.tasks["a2"].cancel()
    crowd.tasks["b1"].cancel()
    await settle()
    assert crowd.places.waiting == 1
    await crowd.leave("a1")
    assert crowd.order == ["a1", "b2"]
    await crowd.leave("b2")
    assert crowd.places.in_use == 0


async def test_a_waiter_canceled_in_the_moment_it_is_given_a_place_gives_it_back(group):
    crowd = Crowd(group, process=1)
    await crowd.asks("a1", "a2", "a3")
    crowd.held.pop("a1").leave()
    crowd.tasks["a2"].cancel()  # has its place, and has not run since
    await settle()
    assert crowd.order == ["a1", "a3"]
    assert crowd.places.in_use == 1


async def test_a_task_that_is_under_way_already_is_counted_and_never_waits(group):
    crowd = Crowd(group, process=1)
    await crowd.asks("a1")
    followed = crowd.places.occupy("a")
    assert (crowd.places.in_use, crowd.of().in_use) == (2, 2)
    await crowd.asks("a2")
    await crowd.leave("a1")
    assert crowd.order == ["a1"]  # still one too many for a new one
    followed.leave()
    await settle()
    assert crowd.order == ["a1", "a2"]


async def test_leaving_twice_gives_one_place_back(group):
    crowd = Crowd(group, process=1)
    await crowd.asks("a1")
    crowd.held["a1"].leave()
    crowd.held["a1"].leave()
    assert crowd.places.in_use == 0


async def test_too_many_requests_halve_what_is_under_way_once_for_all_that_were_sent_together(group):
    crowd = Crowd(group)
    names = [f"a{number}" for number in range(8)]
    await crowd.asks(*names)
    for name in names[2:]:
        crowd.fails(name, FailureKind.OVERLOADED)
    assert (crowd.of().cap, crowd.of().failures) == (4, 1)
    await crowd.leave(*names)
    await crowd.asks("a8")
    crowd.fails("a8", FailureKind.OVERLOADED)
    assert (crowd.of().cap, crowd.of().failures) == (1, 2)  # one was under way, and there is always one place


async def test_places_come_back_one_at_a_time_as_the_agent_accepts(group):
    crowd = Crowd(group, agent=4)
    names = [f"a{number}" for number in range(4)]
    await crowd.asks(*names)
    crowd.fails("a0", FailureKind.OVERLOADED)
    assert crowd.of().cap == 2
    await crowd.leave(*names)
    caps = []
    for number in range(10, 18):
        await crowd.asks(f"a{number}")
        crowd.opens(f"a{number}")
        crowd.opens(f"a{number}")  # one acceptance counts once
        caps.append(crowd.of().cap)
        await crowd.leave(f"a{number}")
    assert caps == [2, 3, 3, 3, 4, 4, 4, 4]


async def test_a_place_that_comes_back_goes_to_who_waits(group):
    crowd = Crowd(group, agent=2)
    await crowd.asks("a1", "a2")
    crowd.fails("a2", FailureKind.OVERLOADED)
    await crowd.leave("a2")
    await crowd.asks("a3")
    assert crowd.order == ["a1", "a2"]
    crowd.opens("a1")
    await settle()
    assert crowd.order == ["a1", "a2", "a3"]


@pytest.mark.parametrize("kind", [FailureKind.UNREACHABLE, FailureKind.IN_DOUBT])
async def test_an_open_circuit_refuses_at_once_and_says_when_to_come_back(group, kind):
    crowd = Crowd(group, failures=2, pause_s=12.0)
    await crowd.asks("a1", "a2")
    crowd.fails("a1", kind)
    crowd.fails("a2", kind)
    await crowd.asks("a3", "b1")
    assert crowd.refused == {"a3": "circuit open after 2 failures in a row, next try in 12 s; the last one: no"}
    assert crowd.order == ["a1", "a2", "b1"]
    assert (crowd.of().circuit, crowd.of().retry_s) == (Circuit.OPEN, 12.0)


async def test_who_waits_is_refused_when_the_circuit_opens(group):
    crowd = Crowd(group, failures=1, process=1)
    await crowd.asks("a1", "a2", "b1", "a3")
    crowd.fails("a1")
    await settle()
    assert sorted(crowd.refused) == ["a2", "a3"]
    await crowd.leave("a1")
    assert crowd.order == ["a1", "b1"]
    assert crowd.places.waiting == 0


async def test_one_tries_whether_the_agent_is_back_and_its_answer_lets_the_others_in(group):
    crowd = Crowd(group, failures=1, pause_s=12.0)
    await crowd.asks("a1")
    crowd.fails("a1")
    crowd.at = 12.0
    await crowd.asks("a2", "a3")
    assert crowd.order == ["a1", "a2"]
    assert list(crowd.refused) == ["a3"]
    crowd.opens("a2")
    await crowd.asks("a4")
    assert crowd.order[2:] == ["a4"]
    assert crowd.of().circuit is Circuit.CLOSED


async def test_a_trial_that_is_canceled_before_it_says_anything_leaves_the_next_one_to_try(group):
    crowd = Crowd(group, failures=1, pause_s=12.0)
    await crowd.asks("a1")
    crowd.fails("a1")
    crowd.at = 12.0
    await crowd.asks("a2")
    await crowd.leave("a2")
    await crowd.asks("a3")
    assert crowd.order == ["a1", "a2", "a3"]


async def test_any_answer_of_the_agent_counts_as_reached(group):
    crowd = Crowd(group, failures=2)
    await crowd.asks("a1", "a2", "a3")
    crowd.fails("a1")
    crowd.fails("a2", FailureKind.REJECTED)
    crowd.fails("a3")
    assert (crowd.of().circuit, crowd.of().failures) == (Circuit.CLOSED, 1)


async def test_a_task_that_was_known_before_says_something_about_the_agent_only_when_it_ends(group):
    crowd = Crowd(group, failures=1)
    await crowd.asks("a1")
    crowd.fails("a1")
    crowd.held["a2"] = crowd.places.occupy("a")
    crowd.opens("a2")
    assert crowd.of().circuit is Circuit.OPEN
    crowd.held["a2"].note(AttemptSucceeded(at=0.0, branch="a2", attempt=1))
    assert crowd.of().circuit is Circuit.CLOSED


async def test_a_thousand_waiters_for_a_hundred_agents_all_get_their_place_within_both_caps(group):
    crowd = Crowd(group, process=50, agent=5)
    agents = [chr(0x4E00 + number) for number in range(100)]
    names = [f"{agent}{number}" for number in range(10) for agent in agents]
    for name in names:
        crowd.tasks[name] = group.create_task(crowd._ask(name))
    most = 0
    while len(crowd.order) < len(names):
        await settle()
        most = max([most, *(crowd.of(agent).in_use for agent in agents)])
        assert crowd.places.in_use <= 50
        await crowd.leave(*list(crowd.held))
    assert most <= 5
    assert crowd.order == names
