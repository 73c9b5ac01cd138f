"""When the client is asked, and what: the state of the task as far as questions make it.

Input comes before authorisations, and a message repeats everything that is open (spec 7.6,
4.2.1). What is asked never changes silently: every change is another revision.
"""

from __future__ import annotations

from coordinator.core.model import Ask, TaskState
from coordinator.core.questions import Question, Questions

SOON_S = 1.0
"""With `ask: soon`, how long other questions may join the first one."""


class Asking:
    """What the client is asked at present."""

    def __init__(self, ask: Ask, questions: Questions) -> None:
        self._ask = ask
        self._questions = questions
        self._has_spoken = False
        self.told: tuple[Question, ...] = ()
        self.revision = 0

    def wake_at(self) -> float | None:
        """Return when questions that were collected have to be asked, if any are."""
        if self._ask is not Ask.SOON:
            return None
        fresh = [question.asked_at for question in self._level() if not question.is_told]
        return min(fresh) + SOON_S if fresh else None

    def heard(self) -> None:
        """Note that the client has spoken: what is left open is asked again."""
        self._has_spoken = True

    def end(self) -> None:
        """Ask nothing any more."""
        self._show(())

    def update(self, at: float, *, only_questions: bool) -> TaskState | None:
        """Bring what is asked up to date; return the state the task goes to, None when it stays as it is."""
        level = self._level()
        asked = any(question.is_told and question in self.told for question in level)
        is_time = only_questions or (self._ask is Ask.SOON and self._is_collected(level, at))
        before, numbers = self.told, self._numbers()
        shown = tuple(level) if level and (asked or is_time) else ()
        spoken, self._has_spoken = self._has_spoken, False
        if self._unchanged(shown, numbers) and not (spoken and shown):
            return None
        for question in shown:
            self._questions.tell(question, at)
        self._show(shown)
        if not shown:
            return TaskState.WORKING if before else None
        return TaskState.AUTH_REQUIRED if shown[0].kind == "auth" else TaskState.INPUT_REQUIRED

    def _level(self) -> list[Question]:
        """Return what may be asked now: an authorisation is never asked for under INPUT_REQUIRED."""
        level = self._questions.open()
        return [question for question in level if question.kind != "auth"] or level

    def _is_collected(self, level: list[Question], at: float) -> bool:
        return any(not question.is_told and question.asked_at + SOON_S <= at for question in level)

    def _numbers(self) -> tuple[int, ...]:
        return tuple(question.number for question in self.told if question.is_open)

    def _unchanged(self, shown: tuple[Question, ...], numbers: tuple[int, ...]) -> bool:
        same = tuple(question.number for question in shown)
        return same == numbers and len(numbers) == len(self.told)

    def _show(self, shown: tuple[Question, ...]) -> None:
        if shown or self.told:
            self.revision += 1
        self.told = shown
