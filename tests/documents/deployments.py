"""What a deployment file says, in one form for compose and Kubernetes: processes, and what they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
URL = re.compile(r"https?://[\w.-]+:\d+[\w/]*")


@dataclass(frozen=True)
class Probe:
    """A path that is asked for at a port."""

    path: str
    port: int


@dataclass(frozen=True)
class Process:
    """One container of ours."""

    name: str
    host: str  #: by which others reach it
    command: Sequence[str]
    environment: frozenset[str]
    probes: tuple[Probe, ...]
    ports: frozenset[int]  #: that others are told of
    ending_s: float | None = None  #: between SIGTERM and SIGKILL
    preparing_s: float = 0.0  #: of that, before SIGTERM
    files: Mapping[str, str] = field(default_factory=dict)  #: what is mounted, by path

    @property
    def is_coordinator(self) -> bool:
        """Whether it runs the coordinator."""
        return self.command[0] == "coordinator"


@dataclass(frozen=True)
class Deployment:
    """All of one file."""

    processes: tuple[Process, ...]
    databases: Mapping[str, Mapping[str, str]]  #: environment of PostgreSQL, by host
    document: Any

    @property
    def coordinators(self) -> list[Process]:
        """The replicas."""
        return [process for process in self.processes if process.is_coordinator]

    @property
    def specialists(self) -> list[Process]:
        """Everybody else."""
        return [process for process in self.processes if not process.is_coordinator]


def seconds(text: str) -> float:
    """Return what compose means by 20s."""
    return float(text.removesuffix("s"))


def compose() -> Deployment:
    """Read the compose file."""
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = document["services"]
    ours = {name: it for name, it in services.items() if it["image"] == "a2a-coordinator"}
    databases = {name: it["environment"] for name, it in services.items() if it["image"].startswith("postgres:")}
    return Deployment(tuple(_composed(name, it, document) for name, it in ours.items()), databases, document)


def _composed(name: str, service: Mapping[str, Any], document: Any) -> Process:
    asked = [_probe(url) for url in URL.findall(service["healthcheck"]["test"][-1])]
    assert "configs" not in document, "compose copies inline configs into the container, which is read-only"
    files = [volume.split(":") for volume in service.get("volumes", ())]
    mounted = {target: (DEPLOY / source).read_text(encoding="utf-8") for source, target, _ in files}
    return Process(
        name=name,
        host=name,
        command=service["command"],
        environment=frozenset(service.get("environment", ())),
        probes=tuple(asked),
        ports=frozenset(),  # inside a compose network every port is open
        ending_s=seconds(service["stop_grace_period"]) if "stop_grace_period" in service else None,
        files=mounted,
    )


def _probe(url: str) -> Probe:
    _, _, rest = url.partition("://")
    address, _, path = rest.partition("/")
    return Probe(f"/{path}", int(address.rpartition(":")[2]))


def kubernetes() -> Deployment:
    """Read the Kubernetes manifest."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
    processes: list[Process] = []
    databases: dict[str, Mapping[str, str]] = {}
    for pod in pods(documents):
        for container in pod.spec["containers"]:
            if container["image"].startswith("postgres:"):
                databases[pod.service] = {it["name"]: it.get("value", "") for it in container["env"]}
            else:
                processes.append(_contained(pod, container, documents))
    return Deployment(tuple(processes), databases, documents)


@dataclass(frozen=True)
class Pod:
    """A pod, and the service others reach it by."""

    spec: Mapping[str, Any]
    labels: Mapping[str, str]
    service: str
    ports: Mapping[str, int]  #: of the service, by the name of the container's port


def pods(documents: Sequence[Any]) -> Iterator[Pod]:
    """Yield every pod with its service."""
    services = [it for it in documents if it["kind"] == "Service"]
    for it in documents:
        if "template" in it.get("spec", {}):
            labels = it["spec"]["template"]["metadata"]["labels"]
            assert it["spec"]["selector"]["matchLabels"].items() <= labels.items()
            (service,) = [one for one in services if one["spec"]["selector"].items() <= labels.items()]
            ports = {port["targetPort"]: port["port"] for port in service["spec"]["ports"]}
            yield Pod(it["spec"]["template"]["spec"], labels, service["metadata"]["name"], ports)


def _contained(pod: Pod, container: Mapping[str, Any], documents: Sequence[Any]) -> Process:
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = [probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")]
    maps = {it["metadata"]["name"]: it["data"] for it in documents if it["kind"] == "ConfigMap"}
    folders = {it["name"]: maps[it["configMap"]["name"]] for it in pod.spec["volumes"] if "configMap" in it}
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    for name, number in named.items():
        assert pod.ports[name] == number, f"{container['name']}: port {name}"
    return Process(
        name=container["name"],
        host=pod.service,
        command=container["args"],
        environment=frozenset(it["name"] for it in container.get("env", ())),
        probes=tuple(Probe(it["path"], named[it["port"]]) for it in probes),
        ports=frozenset(named.values()),
        ending_s=pod.spec.get("terminationGracePeriodSeconds"),
        preparing_s=float(sleep[1]),
        files={
            f"{mount['mountPath']}/{name}": text
            for mount in container["volumeMounts"]
            for name, text in folders.get(mount["name"], {}).items()
        },
    )
