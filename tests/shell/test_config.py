"""The configuration: every field checked before anything starts."""

import socket

import pytest

from coordinator.config import Settings, load_settings
from coordinator.drivers.dbos import executor_name
from coordinator.errors import ConfigurationError
from coordinator.inbound import coordinator_card


def written(tmp_path, text):
    file = tmp_path / "coordinator.yaml"
    file.write_text(text)
    return file


def test_without_a_file_the_defaults_serve_on_loopback_only():
    settings = load_settings(None)
    assert (settings.host, settings.auth, settings.url) == ("127.0.0.1", "none", "http://127.0.0.1:8420")
    assert settings.database.name == "coordinator.db"


def test_options_of_the_command_line_win_over_the_file_and_absent_ones_do_not(tmp_path):
    file = written(tmp_path, "port: 9000\ndb: memory\n")
    settings = load_settings(file, {"port": 9001, "db": None})
    assert (settings.port, settings.database) == (9001, None)


def test_a_replica_is_called_as_the_configuration_says(tmp_path):
    settings = load_settings(written(tmp_path, "replica: host-a\n"))
    assert executor_name(settings.replica).startswith("host-a:")
    assert executor_name(load_settings(None).replica).startswith(socket.gethostname()[:24])


def test_an_agent_is_a_card_or_a_card_with_more_about_it(tmp_path):
    file = written(
        tmp_path,
        "agents:\n- cards\n- {card: 'https://a.example', name: pricing, tags: [x], token_env: PRICING}\n",
    )
    first, second = load_settings(file).agents
    assert first.card == "cards"
    assert (second.name, second.tags, second.token_env) == ("pricing", ("x",), "PRICING")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot: 1\n", "prot"),
        ("port: many\n", "port"),
        ("port: 70000\n", "port"),
        ("auth: maybe\n", "auth"),
        ("auth: tokens\n", "tokens lists nobody"),
        ("host: 0.0.0.0\n", "reachable from outside"),
        ("agents: [{card: x, name: 'No Name'}]\n", "agents.0.name"),
        ("refresh_agents: never\n", "refresh_agents"),
        ("retention: 5m\n", "retention is shorter than deduplication_window"),
        ("push_allow: ['10.0.0.0/99']\n", "push_allow.0"),
        ("push_allow: ['http://hook']\n", "write"),
        ("push_give_up: soon\n", "push_give_up"),
        ("max_pushes: 0\n", "max_pushes"),
        ("agents: [{card: x, wait: long}]\n", "agents.0.wait"),
        ("webhook: maybe\n", "webhook"),
        ("webhook: off\nagents: [{card: x, wait: push}]\n", "wait: push"),
        ("max_answer: 1\n", "max_answer"),
        ("max_artifact: 1\n", "max_artifact"),
        ("max_results: 1\n", "max_results"),
        ("- a list\n", "a configuration is a mapping"),
        ("a: [\n", "coordinator.yaml"),
    ],
)
def test_a_wrong_field_is_named_with_the_file(tmp_path, text, told):
    with pytest.raises(ConfigurationError, match=told) as refusal:
        load_settings(written(tmp_path, text))
    assert "coordinator.yaml" in str(refusal.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_settings(tmp_path / "nowhere")


def test_the_card_says_what_the_configuration_says():
    settings = load_settings(
        None, {"name": "Reviews", "description": "Reviews code.", "public_url": "https://r.example"}
    )
    card = coordinator_card(settings, [])
    assert (card.name, card.description) == ("Reviews", "Reviews code.")
    assert {interface.url.rstrip("/") for interface in card.supported_interfaces} == {"https://r.example"}


def test_an_empty_file_means_the_defaults(tmp_path):
    assert load_settings(written(tmp_path, "")) == Settings()


def test_other_hosts_are_served_with_authentication_or_on_purpose():
    tokens = [{"name": "alice", "token_env": "ALICE"}]
    assert load_settings(None, {"host": "0.0.0.0", "auth": "tokens", "tokens": tokens}).host == "0.0.0.0"
    assert load_settings(None, {"host": "0.0.0.0", "insecure": True}).insecure


def test_a_token_is_read_from_the_environment_and_a_missing_variable_is_named(monkeypatch):
    settings = load_settings(None, {"auth": "tokens", "tokens": [{"name": "alice", "token_env": "ALICE"}]})
    monkeypatch.setenv("ALICE", "secret")
    assert settings.tokens[0].token() == "secret"
    monkeypatch.delenv("ALICE")
    with pytest.raises(ConfigurationError, match="ALICE, which is not set"):
        settings.tokens[0].token()


@pytest.mark.parametrize(
    ("overrides", "url"),
    [
        ({"public_url": "https://agents.example/coordinator/"}, "https://agents.example/coordinator"),
        ({"host": "::1", "port": 1}, "http://[::1]:1"),
    ],
)
def test_the_url_clients_use(overrides, url):
    assert load_settings(None, overrides).url == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("port: 1\n", ""),
        ("port: 1\nwebhook: on\n", "http://127.0.0.1:1"),
        ("webhook: on\npublic_url: https://us.example/\n", "https://us.example"),
        ("webhook: https://inside.example/\n", "https://inside.example"),
        ("webhook: off\n", ""),
        ("port: 1\nagents: [{card: x, wait: push}]\n", "http://127.0.0.1:1"),
        ("port: 1\nagents: [{card: x, wait: poll}]\n", ""),
    ],
)
def test_the_webhook_is_on_when_it_is_asked_for_or_an_agent_needs_it(tmp_path, text, url):
    assert load_settings(written(tmp_path, text)).webhook_url == url
