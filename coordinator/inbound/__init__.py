"""Everything that comes in from A2A clients: cards, authentication, requests, and the answers to them."""

from coordinator.inbound.auth import TokenBackend, refuse
from coordinator.inbound.cards import coordinator_card, plan_card
from coordinator.inbound.contexts import Contexts
from coordinator.inbound.edge import BodyLimit, ExtensionEcho, JsonOnly, VersionParameter
from coordinator.inbound.handler import CallContexts, TaskService
from coordinator.inbound.intake import Intake
from coordinator.inbound.retrying import RetryRefusals
from coordinator.inbound.stopping import Stopping

__all__ = [
    "BodyLimit",
    "CallContexts",
    "Contexts",
    "ExtensionEcho",
    "Intake",
    "JsonOnly",
    "RetryRefusals",
    "Stopping",
    "TaskService",
    "TokenBackend",
    "VersionParameter",
    "coordinator_card",
    "plan_card",
    "refuse",
]
