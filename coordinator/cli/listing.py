"""What `agents add`, `agents remove` and `agents list` do: they change or show the agents of a configuration file.

The coordinator is not asked and not told: it reads the file when it starts. A file is replaced as a whole or not
at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

import httpx
from rich.text import Text

from coordinator.cli.entries import KEY, CannotEdit, added, removed
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.meeting import PATIENCE, Met, met
from coordinator.cli.serving import STARTER
from coordinator.cli.tables import entries_table, met_lines
from coordinator.cli.terminal import note, printable, say, say_json
from coordinator.config import CARDS, AgentEntry, Settings, load_settings
from coordinator.directory import agents_in_files, card_at, is_url, known_agent
from coordinator.errors import ConfigurationError
from coordinator.outbound import shared_http_client
from coordinator.outbound.failures import PEER_ERRORS

WELL_KNOWN = "/.well-known/agent-card.json"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration file as it is; one that is not there yet begins as the starter."""

    file: Path
    text: str
    settings: Settings
    is_new: bool

    @classmethod
    def read(cls, file: Path) -> Configuration:
        """Return what *file* says. Raises `Stop` when it is not a valid configuration."""
        is_new = not file.exists()
        try:
            settings = load_settings(None if is_new else file)
            return cls(file, (STARTER if is_new else file).read_bytes().decode(), settings, is_new)
        except (OSError, ConfigurationError) as error:
            raise Stop(str(error)) from error

    @property
    def lists_agents(self) -> bool:
        """Whether it says itself which agents there are; else they are the ones that come with this project."""
        return not self.is_new and KEY in self.settings.model_fields_set

    def replace(self, text: str) -> None:
        """Put *text* in its place. Raises `Stop` when that cannot be done, and then it is as it was.

        What somebody wrote there meanwhile stays: asking an agent takes its time.
        """
        place = self.file.resolve()  # a link stays a link
        try:
            if (place.read_bytes() if place.exists() else None) != (None if self.is_new else self.text.encode()):
                raise Stop(f"{self.file} was changed meanwhile, so nothing is written: try again")
            mode = 0o644 if self.is_new else place.stat().st_mode & 0o7777
            with NamedTemporaryFile("wb", dir=place.parent, prefix=f".{place.name}.", delete=False) as written:
                try:
                    written.write(text.encode())
                    written.flush()
                    os.fchmod(written.fileno(), mode)
                    os.fsync(written.fileno())
                    Path(written.name).replace(place)
                except BaseException:
                    Path(written.name).unlink()
                    raise
        except OSError as error:
            raise Stop(f"{self.file} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Wish:
    """An agent to add, as the command line has it."""

    url: str
    name: str | None = None
    token_env: str | None = None
    is_dry: bool = False


async def add(wish: Wish, file: Path, *, as_json: bool) -> ExitCode:
    """Get to know an agent and write it into the configuration *file*."""
    configuration = Configuration.read(file)
    for entry in configuration.settings.agents:
        if _same_place(entry.card, wish.url):
            called = f" as {entry.name}" if entry.name else ""
            raise Stop(
                f"{wish.url} is in {file} already{called}; take it out with: coordinator agents remove {entry.card}"
            )
    async with shared_http_client(PATIENCE.request_s) as http:
        found = await met(http, wish.url, wish.name, wish.token_env)
        for entry in configuration.settings.agents:
            if found.ref.name in await _names(entry, http):
                raise Stop(f"{file} has an agent named {found.ref.name} already ({entry.card}): give another --name")
    try:
        text = added(configuration.text, found.entry(), [str(CARDS)])
    except CannotEdit as error:
        raise Stop(f"{file}: {error}") from error
    if not wish.is_dry:
        configuration.replace(text)
    if as_json:
        say_json({"config": str(file), "written": not wish.is_dry, "agent": found.as_json()})
    else:
        _tell(found, configuration, wish)
    return ExitCode.OK


def _tell(found: Met, configuration: Configuration, wish: Wish) -> None:
    file = printable(configuration.file)
    say(met_lines(found.as_json()))
    if not found.was_asked:
        note(f"{wish.token_env} is not set here, so it was not asked anything; `serve` needs it")
    if found.agent.lacking:
        note(f"it says it is not ready: {printable(found.agent.lacking)}")
    if not configuration.lists_agents:
        note(f"the agents that come with this project stay, as the entry {CARDS}")
    if wish.is_dry:
        say(Text(f"{file} is left as it is (--dry-run)"))
    else:
        say(Text(f"written to {file}; a coordinator reads it when it starts: coordinator serve --config {file}"))


def remove(name: str, file: Path, *, as_json: bool) -> ExitCode:
    """Take an agent out of the configuration *file*, by its name or by what its entry says of its card."""
    configuration = Configuration.read(file)
    if not configuration.lists_agents:
        raise Stop(f"{file} lists no agents; the ones that come with this project are used")
    agents = configuration.settings.agents
    numbers = [n for n, entry in enumerate(agents) if entry.name == name or _same_place(entry.card, name)]
    if not numbers:
        raise Stop(_unknown(name, file, agents))
    try:
        configuration.replace(removed(configuration.text, numbers[0]))
    except CannotEdit as error:
        raise Stop(f"{file}: {error}") from error
    gone = agents[numbers[0]]
    if as_json:
        say_json({"config": str(file), "removed": gone.model_dump(exclude_defaults=True)})
    else:
        say(Text(f"{printable(gone.name or gone.card)} is not in {printable(file)} any more"))
    return ExitCode.OK


def _unknown(name: str, file: Path, agents: Iterable[AgentEntry]) -> str:
    known = ", ".join(entry.name or entry.card for entry in agents) or "none"
    for entry in agents:
        if name in _names_in_files(entry):
            return f"{name} comes from {entry.card}, which is one entry: remove that, or the card from the folder"
    return f"{file} has no agent {name}; it has: {known}"


def show(file: Path, *, as_json: bool) -> ExitCode:
    """Show the entries of the configuration *file*."""
    configuration = Configuration.read(file)
    agents = configuration.settings.agents
    told = [{**entry.model_dump(exclude_defaults=True), "agents": _names_in_files(entry)} for entry in agents]
    if as_json:
        say_json({"config": str(file), "isDefault": not configuration.lists_agents, "entries": told})
        return ExitCode.OK
    say(entries_table(told))
    if not configuration.lists_agents:
        note(f"{printable(file)} lists none; these come with this project")
    return ExitCode.OK


async def _names(entry: AgentEntry, http: httpx.AsyncClient) -> list[str]:
    """Return the names of the agents behind an entry, as far as they can be known now."""
    if entry.name or not is_url(entry.card):
        return _names_in_files(entry)
    with suppress(*PEER_ERRORS, ConfigurationError):  # who does not answer can be called anything
        return [known_agent(await card_at(http, entry.card), entry, entry.card).name]
    return []


def _names_in_files(entry: AgentEntry) -> list[str]:
    """Return the names that are known without asking anybody."""
    if entry.name or is_url(entry.card):
        return [entry.name] if entry.name else []
    try:
        return [agent.name for _, agent in agents_in_files(entry)]
    except ConfigurationError:  # `coordinator check` tells what is wrong with it
        return []


def _same_place(one: str, other: str) -> bool:
    return _place(one) == _place(other)


def _place(card: str) -> str:
    if not is_url(card):
        return card
    parts = urlsplit(card.removesuffix(WELL_KNOWN))
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}?{parts.query}"
