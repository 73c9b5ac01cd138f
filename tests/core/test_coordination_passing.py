"""Plain delegation: the task is the agent's, and everything goes through."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Follow, Send
from coordinator.core.coordination import Coordination
from coordinator.core.extension import URI
from coordinator.core.model import (
    Artifact,
    FailureKind,
    Message,
    Plan,
    TaskState,
    Unanswered,
    Verdict,
)
from coordinator.core.questions import Why
from coordinator.core.view import TaskView, view_of
from tests.core.building import T0, Script, artifact, canceled, inquiry, part, remote_of, stage, taken_on

SUBMITTED, WORKING, INPUT = TaskState.SUBMITTED, TaskState.WORKING, TaskState.INPUT_REQUIRED


class Passing(Script):
    """A script whose one agent is passed through."""

    def __init__(self, **options) -> None:
        plan = options.pop("plan", {})
        super().__init__(1, passes_through=True, plan=plan, **options)

    def relays(self, state: TaskState | None = None, words: str = "", **more) -> None:
        message = said(words) if words else None
        self.tell(ev.Relayed(**self._about("a", None), state=state, message=message, **more))

    def answers(self, words: str = "hello") -> None:
        about = self._about("a", None)
        self.tell(ev.AttemptSucceeded(**about, message=said(words), is_direct=True, context_id="theirs"))

    def works(self) -> None:
        self.opens("a")
        self.relays(WORKING)

    def waits_for_input(self, words: str = "which one?") -> None:
        self.relays(INPUT, words)
        self.asks("a", words)

    @property
    def view(self) -> TaskView:
        return view_of(self.coordination, self.now)

    def history(self) -> list[str]:
        return [message.message_id for message in self.view.history]


def said(words: str) -> Message:
    return Message(words, "agent", (part("5"),))


def one_task() -> Passing:
    script = Passing()
    script.works()
    return script


# -- a task, or a message -------------------------------------------------------------------------


def test_there_is_no_task_until_the_agent_has_one():
    script = Passing()
    assert not script.view.is_shown
    assert script.coordination.wake_at() == T0 + 2
    before = script.coordination.told
    script.opens("a")
    assert script.view.is_shown
    assert (script.coordination.told != before, script.coordination.wake_at()) == (True, None)


def test_there_is_a_task_when_patience_has_passed():
    script = Passing()
    script.waits(1.9)
    assert not script.view.is_shown
    script.waits(0.1)
    assert (script.view.is_shown, script.coordination.state) == (True, SUBMITTED)
    assert script.coordination.wake_at() is None


def test_a_direct_message_before_that_is_all_there_is():
    script = Passing()
    script.answers()
    assert (script.view.direct, script.view.is_shown) == (said("hello"), False)
    assert script.coordination.is_closed
    assert script.branch("a").context_id == "theirs"


def test_a_direct_message_after_that_is_the_result_of_the_task():
    script = Passing()
    script.waits(2)
    script.answers()
    view = script.view
    assert (view.direct, view.is_shown, view.state) == (None, True, TaskState.COMPLETED)
    assert view.message == said("hello")
    assert view.artifacts == (Artifact("message", said("hello").parts),)


def test_a_failure_before_there_is_a_task_is_a_failed_task():
    script = Passing()
    script.fails("a", FailureKind.UNREACHABLE, message="nobody there")
    assert (script.view.is_shown, script.view.state) == (True, TaskState.FAILED)
    assert "nobody there" in script.view.text


# -- what goes to the agent -----------------------------------------------------------------------


def test_the_message_goes_on_unchanged_but_for_its_id_and_what_is_ours():
    message = Message("1", "user", (part("0"),), {"theirs": 1, f"{URI}/plan": "x"}, ("urn:other", URI), ("ours-1",))
    fact = taken_on(Plan(name="p", stages=(stage(1, passes_through=True),)))
    fact = ev.TaskAccepted(
        at=T0,
        task_id=fact.task_id,
        context_id="c",
        message=message,
        plan=fact.plan,
        remote_context="their-c",
        remote_references=("their-1",),
        accepted_output_modes=("text/plain",),
    )
    (send,) = Coordination(fact).receive(ev.TurnStarted(at=T0, epoch=1))
    assert send.parts == message.parts
    assert send.message_id.startswith("1-")
    told = send.unchanged
    assert (told.metadata, told.extensions) == ({"theirs": 1}, ("urn:other",))
    assert (told.context_id, told.reference_task_ids) == ("their-c", ("their-1",))
    assert told.accepted_output_modes == ("text/plain",)


def test_two_tasks_with_the_same_message_id_stay_apart_unless_the_plan_keeps_it():
    def sent_id(task_id: str, **options) -> str:
        fact = taken_on(Plan(name="p", stages=(stage(1, passes_through=True, **options),)))
        fact = ev.TaskAccepted(at=T0, task_id=task_id, context_id="c", message=fact.message, plan=fact.plan)
        (send,) = Coordination(fact).receive(ev.TurnStarted(at=T0, epoch=1))
        return send.message_id

    assert sent_id("one") != sent_id("two")
    assert sent_id("one") == sent_id("one")
    assert sent_id("one", keep_message_id=True) == "message-1"


# -- what comes from the agent --------------------------------------------------------------------


def test_states_and_messages_are_the_agent_s_and_what_is_replaced_becomes_history():
    script = one_task()
    script.relays(WORKING, "reading")
    assert (script.view.state, script.view.message) == (WORKING, said("reading"))
    before = script.coordination.told
    script.relays(WORKING, "writing")
    assert script.coordination.told != before
    assert script.history() == ["message-1", "reading"]
    assert script.view.message == said("writing")


def test_metadata_is_added_up():
    script = one_task()
    script.relays(WORKING, metadata={"a": 1})
    script.relays(WORKING, metadata={"b": 2})
    assert script.view.metadata == {"a": 1, "b": 2}


def test_chunks_are_put_together_as_they_come():
    script = one_task()
    for digit, append, last in (("1", False, False), ("2", True, False), ("3", True, True)):
        script.relays(artifact=artifact("f", digit=digit), append=append, last_chunk=last)
        assert (script.coordination.passing.whole == {"f"}) is last
    assert script.view.artifacts[0].parts == (part("1"), part("2"), part("3"))
    script.relays(artifact=artifact("f", digit="4"))
    assert script.view.artifacts[0].parts == (part("4"),)
    script.relays(artifact=artifact("g", digit="5"), append=True)
    assert [one.artifact_id for one in script.view.artifacts] == ["f", "g"]


def test_a_terminal_state_waits_for_the_results():
    script = one_task()
    script.relays(artifact=artifact("f"))
    script.relays(TaskState.COMPLETED, "done")
    assert script.view.state is WORKING
    script.succeeds("a", artifacts=(artifact("f"), artifact("g")))
    view = script.view
    assert (view.state, view.message, view.unfinished) == (TaskState.COMPLETED, said("done"), ())
    assert [one.artifact_id for one in view.artifacts] == ["f", "g"]
    assert script.coordination.is_closed, "nothing is merged"


@pytest.mark.parametrize(
    ("kind", "state", "verdict"),
    [
        (FailureKind.FAILED, TaskState.FAILED, Verdict.FAILED),
        (FailureKind.REJECTED, TaskState.REJECTED, Verdict.REJECTED),
        (FailureKind.CANCELED, TaskState.CANCELED, Verdict.CANCELED),
        (FailureKind.LOST, TaskState.FAILED, Verdict.FAILED),
    ],
)
def test_the_task_ends_as_the_agent_s_does_and_keeps_what_came(kind, state, verdict):
    script = one_task()
    script.relays(artifact=artifact("f"))
    script.relays(state, "no more")
    script.fails("a", kind)
    assert (script.view.state, script.coordination.verdict) == (state, verdict)
    assert script.view.message == said("no more")
    assert [one.artifact_id for one in script.view.artifacts] == ["f"]


@pytest.mark.parametrize("end", ["cancels", "loses it"])
def test_the_last_word_is_ours_when_the_agent_has_not_ended_it(end):
    script = one_task()
    script.waits_for_input()
    if end == "cancels":
        assert canceled(script.cancels()) == ["a"]
    else:
        script.fails("a", FailureKind.LOST, message="it knows nothing of it")
    assert script.view.message is None, "a question under a terminal state would be asked for ever"
    assert script.view.text
    assert script.history() == ["message-1", "which one?"]


def test_what_the_agent_says_after_the_end_is_not_told():
    script = one_task()
    script.cancels()
    before = script.view
    script.relays(WORKING, "still at it")
    script.relays(artifact=artifact("f"))
    assert script.view == before


# -- what the client says after that --------------------------------------------------------------


def test_a_follow_up_goes_to_the_task_and_waits_for_the_agent_s_verdict():
    script = one_task()
    script.waits_for_input()
    assert script.view.state is INPUT
    (send,) = script.says("this one", message_id="2")
    assert isinstance(send, Send)
    assert (send.remote, send.message_id.startswith("2-")) == (remote_of("a"), True)
    assert send.unchanged.reference_task_ids == ()
    assert (script.view.state, script.view.message) == (WORKING, None)
    assert script.history() == ["message-1", "which one?", "2"]
    assert not script.reception.is_decided
    script.takes_answer("a")
    assert (script.reception.used, script.reception.refusal) == (1, None)
    assert [type(command) for command in script.open()] == [Follow]


def test_a_follow_up_to_an_agent_that_works_is_passed_on_too():
    script = one_task()
    (send,) = script.says("hurry")
    assert send.remote == remote_of("a")
    assert script.view.state is WORKING


def test_a_refused_follow_up_is_as_if_it_had_not_been_said():
    script = one_task()
    script.waits_for_input()
    before = script.view
    script.says("rubbish")
    script.refuses_answer("a", "cannot read that")
    view = script.view
    assert (view.state, view.message, view.history) == (INPUT, before.message, before.history)
    refusal = script.reception.refusal
    assert (refusal.why, refusal.words) == (Why.REFUSED, "cannot read that")
    assert script.open() == []
    assert len(script.says("this one")) == 1


def test_a_refused_authorisation_is_waited_for_again():
    script = one_task()
    script.relays(TaskState.AUTH_REQUIRED, "log in")
    script.asks("a", inquiry("log in", "auth"))
    script.says("done")
    assert script.view.state is WORKING
    script.refuses_answer("a")
    assert (script.view.state, script.view.message) == (TaskState.AUTH_REQUIRED, said("log in"))


def test_a_follow_up_that_is_refused_while_the_agent_works_leaves_it_working():
    script = one_task()
    script.relays(WORKING, "reading")
    script.says("hurry")
    (follow,) = script.refuses_answer("a")
    assert isinstance(follow, Follow)
    assert (script.view.state, script.view.message) == (WORKING, said("reading"))
    assert script.history() == ["message-1"]


def test_what_the_agent_said_since_is_kept_when_a_follow_up_is_refused():
    script = one_task()
    script.relays(WORKING, "reading")
    script.says("hurry", message_id="2")
    script.relays(WORKING, "writing")
    script.refuses_answer("a")
    assert script.view.message == said("writing")
    assert script.history() == ["message-1", "reading"]


def test_follow_ups_go_down_one_after_the_other():
    script = one_task()
    script.waits_for_input()
    script.says("one", message_id="2")
    assert script.says("two", message_id="3") == []
    assert script.history() == ["message-1", "which one?", "2"], "it has not been said to the agent yet"
    (second,) = script.takes_answer("a")
    assert second.message_id.startswith("3-")
    assert script.history() == ["message-1", "which one?", "2", "3"]
    script.takes_answer("a")
    assert script.reception.used == 1


def test_the_next_follow_up_goes_down_when_the_one_before_was_refused():
    script = one_task()
    script.waits_for_input()
    script.says("one", message_id="2")
    script.says("two", message_id="3")
    commands = script.refuses_answer("a")
    assert [command.message_id[:2] for command in commands if isinstance(command, Send)] == ["3-"]
    assert script.view.state is WORKING, "it is on its way"
    assert script.history() == ["message-1", "which one?", "3"]
    script.refuses_answer("a")
    assert (script.view.state, script.view.message) == (INPUT, said("which one?"))


def test_a_message_id_the_client_uses_again_is_another_message():
    script = one_task()
    script.waits_for_input()
    ids = set()
    for words in ("one", "two"):
        script.says(words, message_id="1")
        ids.add(script.answer_to("a").message_id)
        script.takes_answer("a")
    assert len(ids) == 2


def test_before_the_agent_has_a_task_a_follow_up_is_refused_and_not_kept():
    script = Passing()
    script.waits(2)
    assert script.says("hello?") == []
    assert script.reception.refusal.why is Why.REFUSED
    assert script.history() == ["message-1"]


@pytest.mark.parametrize("end", ["cancel", "success", "failure"])
def test_whatever_is_undecided_at_the_end_is_told(end):
    script = one_task()
    script.says("one")
    script.says("two")
    match end:
        case "cancel":
            script.cancels()
        case "success":
            script.succeeds("a")
        case _:
            script.fails("a")
    said_so = [fact.receipt for fact in script.facts if isinstance(fact, ev.MessageReceived)]
    assert [script.coordination.reception(receipt).refusal.why for receipt in said_so] == [Why.OVER, Why.OVER]
    script.says("three")
    assert script.reception.refusal.why is Why.OVER


# -- questions nobody sees as ours ----------------------------------------------------------------


def test_a_question_of_the_agent_is_its_own_and_not_one_of_ours():
    script = one_task()
    script.waits_for_input()
    assert (script.view.asked, script.view.problems, script.view.text) == ((), (), "")
    assert script.coordination.is_waiting


@pytest.mark.parametrize("then", ["skip", "take", "abort"])
def test_a_task_nobody_answers_ends_too(then):
    script = Passing(plan={"unanswered": Unanswered(60.0, then)})
    script.works()
    script.relays(artifact=artifact("f"))
    script.waits_for_input()
    assert canceled(script.waits(60)) == ["a"]
    assert script.coordination.state is (TaskState.COMPLETED if then == "take" else TaskState.FAILED)
    assert "not answered in time" in script.view.text
    assert [one.artifact_id for one in script.view.artifacts] == ["f"]
    script.settles_cancel("a")
    assert script.coordination.is_closed


def test_a_parked_task_that_goes_on_is_followed_and_relayed():
    script = one_task()
    script.waits_for_input()
    script.waits(1)
    (follow,) = script.resumes("a")
    assert follow.passes_through
    script.relays(WORKING, "found it")
    assert (script.view.state, script.view.message) == (WORKING, said("found it"))


def test_a_replay_of_any_prefix_gives_the_same_view():
    script = Passing()
    seen = []

    def then(_: object = None) -> None:
        seen.append((len(script.facts), script.view, script.coordination.outstanding(), script.coordination.wake_at()))

    script.works()
    then()
    script.waits_for_input()
    then()
    then(script.says("one"))
    then(script.says("two"))
    then(script.refuses_answer("a"))
    then(script.takes_answer("a"))
    then(script.relays(WORKING, "on"))
    then(script.succeeds("a"))
    for count, *told in seen:
        again = Coordination.replay(script.facts[:count])
        assert [view_of(again, script.now), again.outstanding(), again.wake_at()] == told
