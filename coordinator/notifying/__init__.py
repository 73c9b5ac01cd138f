"""Push notifications to our clients: what is owed is in the journal, and told from its facts, in order."""

from coordinator.notifying.courier import Courier
from coordinator.notifying.sender import Sender
from coordinator.notifying.targets import PushTargets, TargetRefused

__all__ = ["Courier", "PushTargets", "Sender", "TargetRefused"]
