"""The configuration: one YAML file, overridden by options of the command line.

Every field is checked before anything starts; a wrong one is named in the error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from re import Pattern
from typing import Annotated, Any, Literal

import yaml
from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from coordinator.addresses import AllowList
from coordinator.core.durations import seconds
from coordinator.errors import ConfigurationError
from coordinator.flaws import flaws_in

Duration = Annotated[float, BeforeValidator(seconds)]

PACKAGE = Path(__file__).parent
CARDS = PACKAGE.parent / "agent_cards"
PLANS = PACKAGE / "plans"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _switch(value: Any) -> Any:
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


class AgentEntry(_Strict):
    """Where a specialist's card is: a folder of cards, a card file, a base URL, or a card URL."""

    card: str
    name: str | None = Field(default=None, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")  #: instead of the card's own name
    tags: tuple[str, ...] = ()  #: more tags to choose it by
    token_env: str | None = None  #: environment variable that holds the bearer token for it
    concurrency: Annotated[int, Field(ge=1)] | None = None  #: branches under way at it, instead of agent_concurrency
    wait: Literal["auto", "stream", "push", "poll"] = "auto"  #: how its tasks are waited for; auto: as its card says
    grpc_tls: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """TLS to its gRPC interface; auto: as its URL says, and without a word in it to everything but loopback."""


class TokenEntry(_Strict):
    """A caller who may use this coordinator, and the environment variable that holds the token."""

    name: Annotated[str, Field(min_length=1)]
    token_env: str

    def token(self) -> str:
        """Return the token. Raises `ConfigurationError` when the variable is empty."""
        return secret(self.token_env, f"the token of {self.name}")


def _allowed(entry: str) -> str:
    AllowList.of([entry])
    return entry


def _entry(value: Any) -> Any:
    return {"card": value} if isinstance(value, str) else value


class RouteEntry(_Strict):
    """A plan for messages that name none: all patterns given have to be found."""

    plan: str
    text: Pattern[str] | None = None  #: searched in the text parts, joined by line breaks
    message_id: Pattern[str] | None = None  #: searched in the messageId

    @model_validator(mode="after")
    def _has_a_pattern(self) -> RouteEntry:
        if self.text is None and self.message_id is None:
            raise ValueError("a route needs a pattern: text or message_id")
        return self

    def matches(self, text: str, message_id: str) -> bool:
        """Whether a message of that text and id goes this way."""
        wanted = ((self.text, text), (self.message_id, message_id))
        return all(pattern is None or pattern.search(said) for pattern, said in wanted)


class Settings(_Strict):
    """How one coordinator process runs."""

    name: Annotated[str, Field(min_length=1)] = "A2A coordinator"  #: on the agent card
    description: Annotated[str, Field(min_length=1)] = (
        "Delegates a task to specialist agents at the same time and merges what they return."
    )
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8420
    grpc_port: Annotated[int | None, Field(ge=0, le=65535)] = None  #: where gRPC is served too; None: nowhere
    grpc_url: str = ""  #: how clients reach that, when it is not host and grpc_port
    grpc_certificate: Path | None = None  #: PEM file with the certificate chain of the gRPC port; None: no TLS there
    grpc_key: Path | None = None  #: PEM file with its private key
    grpc_client_ca: Path | None = None  #: PEM file; only clients with a certificate signed by it may connect
    public_url: str = ""  #: how clients reach it, when that is not host and port
    db: str = ""  #: a SQLite file or postgresql://…; "memory" for none; empty: below the user's data directory
    replica: str = ""  #: the beginning of the name under which it drives on PostgreSQL; empty: the host's name
    agents: tuple[Annotated[AgentEntry, BeforeValidator(_entry)], ...] = (AgentEntry(card=str(CARDS)),)
    plans: tuple[str, ...] = (str(PLANS),)
    default_plan: str = "code-review"
    routes: tuple[RouteEntry, ...] = ()  #: the first that matches chooses the plan of a message that names none
    max_hops: Annotated[int, Field(ge=1, le=64)] = 8  #: coordinators a task may pass, this one included
    auth: Literal["none", "tokens"] = "none"
    tokens: tuple[TokenEntry, ...] = ()
    credentials: dict[Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], str] = Field(default_factory=dict)
    insecure: bool = False  #: serve other addresses than loopback without authentication
    max_body: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024  #: bytes of one request
    max_answer: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024  #: bytes of one answer of a specialist
    max_artifact: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024  #: bytes of one artifact of a specialist
    max_results: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024  #: bytes of all answers to one task together
    webhook: Annotated[str, BeforeValidator(_switch), Field(pattern=r"^(auto|on|off|https?://.+)$")] = "auto"
    """Where specialists may push to: `on` for our URL, or another one; `auto`: on when an agent says `wait: push`."""
    push_allow: tuple[Annotated[str, AfterValidator(_allowed)], ...] = ()
    """Hosts, host:port and networks our clients may have us push to, besides public addresses by https."""
    push_give_up: Duration = 24 * 3600.0  #: how long a client's webhook may fail before nothing more is pushed to it
    max_pushes: Annotated[int, Field(ge=1)] = 10  #: push configurations of one task
    refresh_agents: Duration = 60.0  #: how often cards behind URLs are read again
    request_timeout: Duration = 30.0  #: for one request to a specialist, streams excepted
    max_branches: Annotated[int, Field(ge=1)] = 1000  #: under way at specialists at once; others wait
    agent_concurrency: Annotated[int, Field(ge=1)] = 50  #: under way at each agent at once
    circuit_failures: Annotated[int, Field(ge=0)] = 5  #: in a row, after which an agent is left alone; 0: never
    circuit_pause: Duration = 15.0  #: for so long
    max_coordinations: Annotated[int, Field(ge=1)] = 200  #: driven at once; new tasks beyond wait as SUBMITTED
    max_waiting: Annotated[int, Field(ge=0)] = 1000  #: new tasks that may wait; more are refused
    deduplication_window: Duration = 600.0  #: how long a repeated messageId is recognised
    retention: Duration | None = None  #: how long a task is kept after its end; None: for ever
    grace: Duration = 10.0  #: for everything to come to its end when the process is asked to stop
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        if self.auth == "tokens" and not self.tokens:
            raise ValueError("auth is tokens, but tokens lists nobody")
        if self.retention is not None and self.retention < self.deduplication_window:
            raise ValueError("retention is shorter than deduplication_window: a repeated message would find no task")
        if self.auth == "none" and self.host not in LOOPBACK and not self.insecure:
            raise ValueError(f"host {self.host} is reachable from outside: set auth to tokens, or insecure to true")
        if self.grpc_port and self.grpc_port == self.port:
            raise ValueError("grpc_port and port are the same: gRPC needs a port of its own")
        if (self.grpc_certificate is None) != (self.grpc_key is None):
            raise ValueError("grpc_certificate and grpc_key belong together: give both, or none for no TLS")
        if self.grpc_client_ca is not None and self.grpc_certificate is None:
            raise ValueError("grpc_client_ca asks clients for certificates: that needs grpc_certificate and grpc_key")
        if self.webhook == "off" and self._is_pushed_to:
            raise ValueError("webhook is off, but an agent says wait: push; leave webhook out, or give its URL")
        return self

    def bearer_credentials(self) -> dict[str, str]:
        """Return the tokens an answer may name. Raises `ConfigurationError` when a variable is empty."""
        return {name: secret(variable, f"the credential {name}") for name, variable in self.credentials.items()}

    @property
    def _is_pushed_to(self) -> bool:
        return any(entry.wait == "push" for entry in self.agents)

    @property
    def webhook_url(self) -> str:
        """Return the base URL specialists push to, or an empty string when there is no webhook."""
        if self.webhook == "off" or (self.webhook == "auto" and not self._is_pushed_to):
            return ""
        return self.url if self.webhook in {"auto", "on"} else self.webhook.rstrip("/")

    @property
    def url(self) -> str:
        """Return the base URL clients use, without a trailing slash."""
        return self.public_url.rstrip("/") or f"http://{self.bracketed_host}:{self.port}"

    @property
    def bracketed_host(self) -> str:
        """Return the host as it stands before a port."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def grpc_target(self) -> str:
        """Return what gRPC clients connect to, or an empty string when gRPC is not served."""
        if self.grpc_port is None:
            return ""
        return self.grpc_url or f"{self.bracketed_host}:{self.grpc_port}"

    @property
    def database(self) -> Path | str | None:
        """Return the SQLite file, the URL of a PostgreSQL database, or None for memory."""
        if self.db == "memory":
            return None
        if "://" in self.db:
            return self.db
        return Path(self.db).expanduser() if self.db else user_data_path("a2a-coordinator") / "coordinator.db"


def secret(variable: str, what: str) -> str:
    """Return the value of an environment variable. Raises `ConfigurationError` when it is not set."""
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigurationError(f"{what} is read from the environment variable {variable}, which is not set")
    return value


def load_settings(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the file *path* (none: the defaults) with *overrides* on top.

    Raises `ConfigurationError` that names file and field.
    """
    values = _read(path) if path else {}
    values |= {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        flaws = flaws_in(error, _Strict.__subclasses__())
        raise ConfigurationError(f"{path or 'configuration'}: {flaws}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: a configuration is a mapping of fields to values")
    return values
