"""The messageId of an attempt: the same for every re-send, another for everything else."""

import dataclasses

from coordinator.core import events as ev
from coordinator.core.coordination import Coordination
from coordinator.core.model import FailureKind, Retry
from tests.core.building import T0, Script, accepted, stage

PATIENT = Retry(attempts=3, backoff_min_s=4.0, backoff_max_s=60.0)


def test_the_message_id_is_the_same_after_a_replay():
    script = Script(3)
    again = Coordination.replay(script.facts)
    assert [command.message_id for command in again.outstanding()] == [command.message_id for command in script.first]


def test_the_message_id_differs_from_branch_to_branch_and_attempt_to_attempt():
    script = Script(3, retry=PATIENT)
    ids = [command.message_id for command in script.first]
    script.fails("a", FailureKind.UNREACHABLE)
    ids += [command.message_id for command in script.waits(2)]
    assert len(set(ids)) == 4


def test_the_message_id_differs_from_task_to_task():
    one = accepted(stage(1))
    other = dataclasses.replace(one, task_id="task-2")
    turn = ev.TurnStarted(at=T0, epoch=1)
    ids = {Coordination.replay([first, turn]).outstanding()[0].message_id for first in (one, other)}
    assert len(ids) == 2


def test_the_cancel_of_an_attempt_names_the_message_that_was_sent():
    script = Script(1)
    (send,) = script.first
    (cancel,) = script.cancels()
    assert cancel.message_id == send.message_id
