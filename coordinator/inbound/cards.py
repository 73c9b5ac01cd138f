"""Our own Agent Cards: one for the coordinator, one for each plan below its path."""

from __future__ import annotations

from collections.abc import Iterable

from a2a.types import a2a_pb2 as a2a

from coordinator import __version__
from coordinator.config import Settings
from coordinator.core.extension import URI
from coordinator.core.sarif import MEDIA_TYPE as SARIF
from coordinator.planning import PlanFile
from coordinator.wire import struct_out

OUTPUT_MODES = ("application/json", "text/markdown", "text/plain")


def coordinator_card(settings: Settings, plans: Iterable[PlanFile]) -> a2a.AgentCard:
    """Return the card at the root: every plan is a skill."""
    known = list(plans)
    return _card(
        settings,
        name=settings.name,
        description=settings.description,
        interfaces=_interfaces(settings),
        plans=known,
    )


def plan_card(settings: Settings, plan: PlanFile) -> a2a.AgentCard:
    """Return the card of one plan, for clients that pick a plan by its URL."""
    return _card(
        settings,
        name=plan.name,
        description=plan.description,
        interfaces=_plan_interfaces(settings, plan.name),
        plans=[plan],
    )


def _card(
    settings: Settings, *, name: str, description: str, interfaces: list[a2a.AgentInterface], plans: list[PlanFile]
) -> a2a.AgentCard:
    card = a2a.AgentCard(
        name=name,
        description=description,
        version=__version__,
        supported_interfaces=interfaces,
        capabilities=a2a.AgentCapabilities(
            streaming=True, push_notifications=True, extended_agent_card=False, extensions=[_extension(plans)]
        ),
        default_input_modes=sorted({mode for plan in plans for mode in plan.input_modes}),
        default_output_modes=OUTPUT_MODES,
        skills=[_skill(plan) for plan in plans],
    )
    if settings.auth == "tokens":
        scheme = a2a.SecurityScheme(http_auth_security_scheme=a2a.HTTPAuthSecurityScheme(scheme="Bearer"))
        card.security_schemes["bearer"].CopyFrom(scheme)
        card.security_requirements.append(a2a.SecurityRequirement(schemes={"bearer": a2a.StringList()}))
    return card


def _interfaces(settings: Settings) -> list[a2a.AgentInterface]:
    """Return every interface in both versions, 1.0 first: clients take the first one they speak."""
    url = settings.url
    served = [("JSONRPC", f"{url}/"), ("HTTP+JSON", url)]
    if settings.grpc_target:
        served.append(("GRPC", settings.grpc_target))
    return [
        a2a.AgentInterface(url=target, protocol_binding=binding, protocol_version=version)
        for version in ("1.0", "0.3")
        for binding, target in served
    ]


def _plan_interfaces(settings: Settings, plan: str) -> list[a2a.AgentInterface]:
    """Return the plan's interfaces: REST of 1.0 puts the tenant into the path itself, 0.3 knows no tenants.

    A gRPC service has no path either, so clients of 0.3 reach a plan by JSON-RPC and REST only.
    """
    url = settings.url
    of_1_0 = [("JSONRPC", f"{url}/{plan}"), ("HTTP+JSON", url)]
    if settings.grpc_target:
        of_1_0.append(("GRPC", settings.grpc_target))
    return [
        *(
            a2a.AgentInterface(url=target, protocol_binding=binding, protocol_version="1.0", tenant=plan)
            for binding, target in of_1_0
        ),
        a2a.AgentInterface(url=f"{url}/{plan}", protocol_binding="JSONRPC", protocol_version="0.3"),
        a2a.AgentInterface(url=f"{url}/{plan}", protocol_binding="HTTP+JSON", protocol_version="0.3"),
    ]


def _extension(plans: Iterable[PlanFile]) -> a2a.AgentExtension:
    params = {
        "plans": [plan.name for plan in plans],
        "parameters": {
            "plan": "name of a plan",
            "limits": {"concurrency": "a number", "branch_timeout": "such as 30s", "deadline": "such as 2m"},
        },
    }
    return a2a.AgentExtension(
        uri=URI,
        description="Choose a plan and narrower limits in a message's metadata; progress and the run record come back.",
        required=False,
        params=struct_out(params),
    )


def _skill(plan: PlanFile) -> a2a.AgentSkill:
    return a2a.AgentSkill(
        id=plan.name,
        name=plan.name.replace("-", " ").capitalize(),
        description=plan.description,
        tags=plan.tags or ("fan-out",),
        input_modes=plan.input_modes,
        output_modes=[*OUTPUT_MODES, *([SARIF] if _answers_with_findings(plan) else [])],
    )


def _answers_with_findings(plan: PlanFile) -> bool:
    return plan.stages[plan.answering_stage].merge.strategy == "findings"
