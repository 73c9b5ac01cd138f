"""The errors this project raises itself; the docstring of each is its default message.

CoordinatorError
 ├─ ConfigurationError      the operator's input is wrong: plan, configuration, card
 ├─ RequestRefused          the client's input is wrong; names the field
 ├─ RetryLater              the request is fine, only not now
 ├─ JournalError
 │   ├─ JournalUnavailable  storage away or full: try again
 │   │   └─ JournalClosed   by this program itself: it will not come back
 │   ├─ JournalLocked       another process holds the database
 │   ├─ JournalTooNew       written by a newer version of this program
 │   ├─ ClaimLost           somebody else drives this coordination now
 │   ├─ UnknownTask · TaskClosed · BadPageToken · TooManyPushes
 └─ IllegalTransition       a bug of ours: the tables of states.py forbid it
"""

from __future__ import annotations


class CoordinatorError(Exception):
    """Something went wrong in the coordinator."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ConfigurationError(CoordinatorError):
    """The configuration, a plan or an agent card is wrong."""


class RequestRefused(CoordinatorError):
    """A request names something that does not exist or is not allowed; `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RetryLater(CoordinatorError):
    """The coordinator cannot take this on now; try again in a while.

    Raised before a task exists. Clients are told `retry_after_s`, and as `reason` a constant in capitals
    (google.rpc.ErrorInfo), in the way of their binding (spec 3.3.2).
    """

    def __init__(self, message: str, *, reason: str, retry_after_s: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reason = reason


class JournalError(CoordinatorError):
    """The journal could not do what was asked."""


class JournalUnavailable(JournalError):
    """The database cannot be reached or written; try again."""


class JournalClosed(JournalUnavailable):
    """The journal is closed."""


class JournalLocked(JournalError):
    """Another coordinator process holds this database."""


class JournalTooNew(JournalError):
    """The database was written by a newer version of this program."""


class ClaimLost(JournalError):
    """Somebody else drives this coordination now."""


class UnknownTask(JournalError):
    """There is no such task."""


class TaskClosed(JournalError):
    """The task is closed; nothing can be added to it."""


class TooManyPushes(JournalError):
    """The task has as many push configurations as it may have."""


class BadPageToken(JournalError):
    """The page token was not made by this server for this query."""


class IllegalTransition(CoordinatorError):
    """A state was asked to change in a way its table forbids."""
