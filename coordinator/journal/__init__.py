"""Where the facts of coordinations are kept: one protocol, one journal in memory, one in SQLite."""

from coordinator.core.model import Payload
from coordinator.journal.clock import Clock, system_time
from coordinator.journal.memory import MemoryJournal
from coordinator.journal.protocol import (
    HIDDEN,
    Acceptance,
    Claim,
    Entry,
    Head,
    HeadChange,
    InboxItem,
    Journal,
    NewTask,
    Pruned,
    Record,
    Scope,
    Status,
    Subscription,
    TaskFilter,
    TaskPage,
)
from coordinator.journal.pushing import ANY_TASK, OwedPush, Place, PushConfig, PushCounts
from coordinator.journal.sql import SqlJournal

__all__ = [
    "ANY_TASK",
    "HIDDEN",
    "Acceptance",
    "Claim",
    "Clock",
    "Entry",
    "Head",
    "HeadChange",
    "InboxItem",
    "Journal",
    "MemoryJournal",
    "NewTask",
    "OwedPush",
    "Payload",
    "Place",
    "Pruned",
    "PushConfig",
    "PushCounts",
    "Record",
    "Scope",
    "SqlJournal",
    "Status",
    "Subscription",
    "TaskFilter",
    "TaskPage",
    "system_time",
]
