"""A client's messages on their way to the one agent of a plain delegation.

One after the other: the next one goes out when the agent has taken or refused the one before.
"""

from __future__ import annotations

from collections import deque

from coordinator.core import events as ev
from coordinator.core.branch import Attempt, Branch
from coordinator.core.branching import Answer, Branching
from coordinator.core.passing import Passing, passed_id, unchanged
from coordinator.core.questions import Problem, Questions, Reception, Why
from coordinator.core.scheduling import StageRun


class Forwarding:
    """Passes messages to the agent's task and says what became of them."""

    def __init__(
        self,
        accepted: ev.TaskAccepted,
        run: StageRun,
        passing: Passing,
        branching: Branching,
        questions: Questions,
    ) -> None:
        self.receptions: dict[str, Reception] = {}  #: by receipt
        self._accepted = accepted
        self._run = run
        self._passing = passing
        self._branching = branching
        self._questions = questions
        self._queue: deque[ev.MessageReceived] = deque()
        self._sent: tuple[str, ev.MessageReceived] | None = None  #: the messageId it went out under

    @property
    def is_under_way(self) -> bool:
        """Whether the agent has not said yet whether it takes a message."""
        return self._sent is not None

    def receive(self, event: ev.MessageReceived) -> None:
        """Pass *event* on as soon as it is its turn."""
        self.receptions[event.receipt] = Reception(is_decided=False)
        self._queue.append(event)
        self._go_on(event.at)

    def taken(self, message_id: str, at: float) -> None:
        """Note that the agent has a message."""
        if self._sent is not None and self._sent[0] == message_id:
            self.receptions[self._sent[1].receipt] = Reception(used=1)
            self._sent = None
            self._go_on(at)

    def refused(self, message_id: str, reason: str, at: float) -> None:
        """Note that the agent has not taken a message: it is as if the client had not said it."""
        if self._sent is not None and self._sent[0] == message_id:
            self._refuse(self._sent[1], Why.REFUSED, reason)
            self._passing.unheard(self._sent[1].message)
            self._sent = None
            self._go_on(at)

    def end(self, reason: str) -> None:
        """Decide whatever is undecided: the task is over."""
        waiting = [*self._queue, *([self._sent[1]] if self._sent else ())]
        for event in waiting:
            self._refuse(event, Why.OVER, reason)
        self._queue.clear()
        self._sent = None

    def _go_on(self, at: float) -> None:
        while self._queue and self._sent is None:
            event = self._queue.popleft()
            branch = next(iter(self._run.branches.values()), None)
            attempt = next(iter(branch.open_attempts()), None) if branch else None
            if branch is None or attempt is None or attempt.remote is None:
                self._refuse(event, Why.REFUSED, "The agent has no task for it yet: send it again in a moment.")
            else:
                self._send(event, branch, attempt, at)

    def _send(self, event: ev.MessageReceived, branch: Branch, attempt: Attempt, at: float) -> None:
        message = event.message
        for question in self._questions.about(branch.key):
            self._questions.close(question, "answered")
        self._passing.heard(message)
        answer = Answer(
            parts=message.parts,
            # A client may use a messageId again for other content; the receipt stands for this message alone.
            message_id=passed_id(self._accepted, message, f"{attempt.number}:{event.receipt}"),
            unchanged=unchanged(self._accepted, message),
        )
        self._sent = self._branching.answer(self._run, branch, attempt, answer, at), event

    def _refuse(self, event: ev.MessageReceived, why: Why, words: str) -> None:
        self.receptions[event.receipt] = Reception(problems=(Problem(why, words),))
