"""The deployment that can be tried says only what the program knows: commands, options, variables, ports, paths."""

import re
import tomllib
from urllib.parse import urlsplit

import httpx
import pytest
import typer.main

from coordinator.app import assembled, checked_plans
from coordinator.cli.program import program
from coordinator.config import Settings, load_settings
from specialist_agents.__main__ import parser
from specialist_agents.app import create_app
from specialist_agents.cards import card_names, read_card
from tests.documents.deployments import DEPLOY, compose, kubernetes

ROOT = DEPLOY.parents[1]
LIBPQ = frozenset({"PGPASSWORD"})
"""Variables PostgreSQL's own library reads."""


@pytest.fixture(params=[compose, kubernetes], ids=["compose", "kubernetes"])
def deployment(request):
    return request.param()


def given(process):
    """Return the options of a coordinator's command line, as the program itself reads them."""
    name, *arguments = process.command[1:]
    command = typer.main.get_command(program()).commands[name]
    context = command.make_context(name, arguments)
    return {key: value for key, value in context.params.items() if value not in (None, False, [], ())}


def settings_of(process, tmp_path):
    """Return the settings a coordinator comes up with."""
    options = given(process)
    file = tmp_path / "coordinator.yaml"
    file.write_text(process.files[str(options.pop("config"))], encoding="utf-8")
    return load_settings(file, options)


def test_there_are_three_replicas_and_the_five_reviewers(deployment):
    replicas = len(deployment.coordinators)
    if isinstance(deployment.document, list):
        (replicas,) = [
            it["spec"]["replicas"]
            for it in deployment.document
            if it["metadata"]["name"] == "coordinator" and it["kind"] == "Deployment"
        ]
    assert replicas == 3
    assert {process.name for process in deployment.specialists} == set(card_names()) & {
        "lint",
        "security",
        "complexity",
        "deadcode",
        "types",
    }


def test_coordinators_start_with_options_and_settings_there_are(deployment, tmp_path):
    for process in deployment.coordinators:
        assert process.command[:2] == ["coordinator", "serve"]
        settings = settings_of(process, tmp_path)
        assert settings.db.startswith("postgresql://")
        assert settings.auth == "tokens"
        assert settings.public_url
        assert settings.grpc_url
        assert set(checked_plans(settings)) >= {"code-review"}


def test_replicas_differ_in_nothing(deployment, tmp_path):
    assert len({str(settings_of(process, tmp_path)) for process in deployment.coordinators}) == 1


def test_every_variable_is_one_that_is_read_and_every_one_that_is_read_is_there(deployment, tmp_path):
    for process in deployment.coordinators:
        settings = settings_of(process, tmp_path)
        wanted = {entry.token_env for entry in (*settings.tokens, *settings.agents) if entry.token_env}
        assert process.environment == wanted | set(settings.credentials.values()) | LIBPQ
    for process in deployment.specialists:
        assert not process.environment


def test_the_database_is_the_one_that_is_there(deployment, tmp_path):
    for process in deployment.coordinators:
        place = urlsplit(settings_of(process, tmp_path).db)
        environment = deployment.databases[place.hostname]
        assert (place.username, place.path[1:]) == (environment["POSTGRES_USER"], environment["POSTGRES_DB"])
        assert place.password is None  # secrets come by the environment
        assert "POSTGRES_PASSWORD" in environment


def test_specialists_start_with_options_there_are_at_the_urls_the_coordinators_know(deployment, tmp_path):
    urls = set()
    for process in deployment.specialists:
        assert process.command[:3] == ["python", "-m", "specialist_agents"]
        options = parser().parse_args(process.command[3:])
        assert options.name == process.name
        assert options.host == "0.0.0.0"
        assert options.public_url == f"http://{process.host}:{options.port}"
        assert process.ports <= {options.port}
        urls.add(options.public_url)
    for process in deployment.coordinators:
        assert {entry.card for entry in settings_of(process, tmp_path).agents} == urls


async def test_probes_ask_for_paths_there_are_at_the_ports_that_are_served(deployment, tmp_path):
    async with assembled(Settings(db="memory", agents=(str(ROOT / "agent_cards"),))) as application:
        for process in deployment.coordinators:
            assert {probe.port for probe in process.probes} == {settings_of(process, tmp_path).port}
            assert "/readyz" in {probe.path for probe in process.probes}
            assert [await asked(application, probe.path) for probe in process.probes] == [200] * len(process.probes)
    for process in deployment.specialists:
        (probe,) = process.probes
        assert probe.port == parser().parse_args(process.command[3:]).port
        assert await asked(create_app(read_card(process.name)), probe.path) == 200


async def asked(application, path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://here") as http:
        return (await http.get(path)).status_code


def test_a_stop_has_time_for_its_grace_period(deployment, tmp_path):
    for process in deployment.coordinators:
        assert process.ending_s > process.preparing_s + settings_of(process, tmp_path).grace + 1


def test_every_port_that_is_served_is_told(deployment, tmp_path):
    for process in deployment.coordinators:
        settings = settings_of(process, tmp_path)
        assert process.ports in (frozenset(), {settings.port, settings.grpc_port})


# --- what only one of the two has -------------------------------------------------------------------------------------


def test_no_replica_is_sticky():
    for it in kubernetes().document:
        assert it.get("spec", {}).get("sessionAffinity", "None") == "None"
    text = "".join((DEPLOY / name).read_text(encoding="utf-8") for name in ("nginx.conf", "kubernetes.yaml"))
    assert not re.search(r"ip_hash|sticky|affinity|^\s*hash ", text, re.MULTILINE)


def test_secrets_are_read_from_one_that_the_file_tells_how_to_make():
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    (made,) = re.findall(r"kubectl create secret generic (\w+) (.*)", text)
    keys = set(re.findall(r"--from-literal=([\w-]+)=", made[1]))
    read = re.findall(r"secretKeyRef: \{name: ([\w-]+), key: ([\w-]+)\}", text)
    assert {name for name, _ in read} == {made[0]}
    assert {key for _, key in read} == keys


def test_certificates_come_from_a_secret_that_the_file_tells_how_to_make():
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    (made,) = re.findall(r"kubectl create secret tls ([\w-]+) ", text)
    for it in kubernetes().document:
        if it["kind"] == "Ingress":
            (tls,) = it["spec"]["tls"]
            assert tls == {"hosts": [rule["host"] for rule in it["spec"]["rules"]], "secretName": made}


def test_an_ingress_leads_to_a_service_and_a_port_there_are():
    documents = kubernetes().document
    ports = {
        (it["metadata"]["name"], port["name"])
        for it in documents
        if it["kind"] == "Service"
        for port in it["spec"]["ports"]
    }
    hosts = {}
    for it in documents:
        for rule in it["spec"]["rules"] if it["kind"] == "Ingress" else ():
            (path,) = rule["http"]["paths"]
            service = path["backend"]["service"]
            assert (service["name"], service["port"]["name"]) in ports
            hosts[service["port"]["name"]] = rule["host"]
    (configuration,) = [it["data"]["coordinator.yaml"] for it in documents if it["kind"] == "ConfigMap"]
    assert f"public_url: https://{hosts['http']}\n" in configuration
    assert f"grpc_url: {hosts['grpc']}:443\n" in configuration


def test_mounted_configurations_are_where_the_option_says():
    for process in (*compose().coordinators, *kubernetes().coordinators):
        assert str(given(process)["config"]) in process.files


def test_the_proxy_knows_every_replica_by_the_ports_it_serves(tmp_path):
    deployment = compose()
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    settings = settings_of(deployment.coordinators[0], tmp_path)
    known = {(host, int(port)) for host, port in re.findall(r"server ([\w-]+):(\d+)", text)}
    names = [process.name for process in deployment.coordinators]
    assert known == {(name, port) for name in names for port in (settings.port, settings.grpc_port)}
    proxy = deployment.document["services"]["proxy"]
    outside = {tuple(map(int, port.split(":")[-2:])) for port in proxy["ports"]}
    assert outside == {(settings.port, settings.port), (settings.grpc_port, settings.grpc_port)}
    assert {int(port) for port in re.findall(r"^ *listen (\d+)", text, re.MULTILINE)} == {
        inside for _, inside in outside
    }
    assert (urlsplit(settings.public_url).port, settings.grpc_url.rpartition(":")[2]) == (8420, "8500")
    assert set(proxy["depends_on"]) == set(names)
    assert set(re.findall(r"client_max_body_size (\w+);", text)) == {f"{settings.max_body // 2**20}m"}
    assert proxy["volumes"] == ["./nginx.conf:/etc/nginx/nginx.conf:ro"]


def test_the_coordinators_of_compose_wait_for_everything_they_need():
    services = compose().document["services"]
    for process in compose().coordinators:
        waits = services[process.name]["depends_on"]
        assert set(waits) == {"postgres"} | {it.name for it in compose().specialists}
        assert all("healthcheck" in services[name] for name in waits)


def test_the_image_holds_what_the_processes_are():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()]
    assert all((ROOT / name).exists() for name in copied)
    assert set(copied) >= {"coordinator", "specialist_agents", "agent_cards", metadata["readme"], "constraints.txt"}
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", text)
    assert set(extras.split(",")) == {"grpc", "postgres", "reviewers"}
    assert set(extras.split(",")) <= set(metadata["optional-dependencies"])
    for name, service in compose().document["services"].items():
        if service["image"] == "a2a-coordinator":
            build = service["build"]
            assert (DEPLOY / build["context"]).resolve() == ROOT, name
            assert (ROOT / build["dockerfile"]).exists()
