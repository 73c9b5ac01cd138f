"""What `demo` and `network` do, once their options are read."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from coordinator.cli.carry import Form
from coordinator.cli.client import Target
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.members import (
    SAMPLE,
    Card,
    Cast,
    check_free,
    chosen_cards,
    coordinator_url,
    free_ports,
    members,
    moved_cards,
    read_cards,
)
from coordinator.cli.message import Parameters
from coordinator.cli.network import Network, wait_until_ready
from coordinator.cli.pack import pack
from coordinator.cli.requesting import Order, review
from coordinator.cli.running import completed, terminable
from coordinator.cli.terminal import note, notice_console, plural, printable, say

LOOK_EVERY_S = 0.5


def demo(path: Path | None, form: Form, extra: Sequence[str] = ()) -> ExitCode:
    """Start a whole network, review *path* with it, and stop it again."""
    path = path or SAMPLE
    pack([path])  # a path without Python files is better told before ten seconds of starting
    with terminable(), tempfile.TemporaryDirectory(prefix="coordinator-demo-") as folder:
        here = Path(folder)
        source = chosen_cards(here / "chosen", extra)
        *ports, port = free_ports(len(names := [card.name for card in read_cards(source)]) + 1)
        cards = moved_cards(here / "cards", dict(zip(names, ports, strict=True)), source)
        with Network(members(cards, here / "cards", port, str(here / "coordinator.db")), here) as network:
            return _performed(network, Target(coordinator_url(port), is_passing=True), path, form)


def _performed(network: Network, target: Target, path: Path, form: Form) -> ExitCode:
    try:
        _make_ready(network)
        return completed(review(target, [path], Order((), Parameters("code-review"), form)))
    except KeyboardInterrupt:
        note("stopping everything")
        raise


def keep_running(
    port: int, db: str | None, cards_folder: Path | None, cast: Cast, extra: Sequence[str] = ()
) -> ExitCode:
    """Start the network on the ports of its cards, and keep it until Ctrl-C."""
    source = (cards_folder or cast.cards).absolute()
    with terminable(), tempfile.TemporaryDirectory(prefix="coordinator-network-") as logs:
        folder = chosen_cards(Path(logs) / "cards", extra, source)
        cards = read_cards(folder)
        check_free(cards, port)
        with Network(members(cards, folder, port, db, cast), Path(logs)) as network, _until_interrupted():
            _make_ready(network)
            _introduce(cards, port, logs, cast)
            _watch(network)
    note("stopped")
    return ExitCode.OK


def _introduce(cards: Sequence[Card], port: int, logs: str, cast: Cast) -> None:
    """Say who listens where, and what to try."""
    url = coordinator_url(port)
    for name, address in [*((card.name, card.url) for card in cards), ("coordinator", url)]:
        say(Text(f"{printable(name):12} {printable(address)}"))
    say(Text(f"try: coordinator --server {url} {' '.join(cast.sample)}"))
    say(Text(f"logs: {logs} (Ctrl-C stops everything)"))


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Take Ctrl-C as the ordinary end of the block."""
    try:
        yield
    except KeyboardInterrupt:
        note("stopping")


def _make_ready(network: Network) -> None:
    console = notice_console()
    names = [member.name for member in network.members]
    note(Text(f"starting {plural(len(names), 'process')}: {', '.join(names)}"))
    begun = time.monotonic()
    with console.status("starting") as status:
        wait_until_ready(network, lambda waiting: status.update(f"waiting for {', '.join(waiting)}"))
    note(Text(f"all ready after {time.monotonic() - begun:.1f} s"))


def _watch(network: Network) -> None:
    """Tell when a specialist ends; without the coordinator there is no network. Raises `Stop` then."""
    told: set[str] = set()
    while True:
        for name, code in network.ended().items():
            if name == "coordinator":
                raise Stop(f"the coordinator ended with code {code}: {network.last_words(name)}", ExitCode.FAILED)
            if name not in told:
                told.add(name)
                note(Text(f"{name} ended with code {code}: {network.last_words(name)}"))
        time.sleep(LOOK_EVERY_S)
