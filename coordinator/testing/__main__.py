"""A fleet as a process: `python -m coordinator.testing --agents 100 --script flaky`.

Prints one JSON line once it listens: its base URL, the number of agents, and as `cards` the page that
has all their Agent Cards. The agent NAME is at URL/NAME/, its card at URL/NAME/.well-known/agent-card.json.
It runs until it is interrupted or, with `--until-eof`, until its input ends: so it cannot outlive a test
that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from coordinator.testing.behaviour import Script, Specialist, script_from, specialist_from
from coordinator.testing.fleet import Fleet, crowd, fleet
from coordinator.testing.scripts import SCRIPTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fleet; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.list:
        sys.stdout.writelines(f"{name:12} {named.says}\n" for name, named in SCRIPTS.items())
        return 0
    try:
        specialists = _specialists(options)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with _runner() as runner:
        runner.run(_serve(specialists, options))
    return 0


def _runner() -> asyncio.Runner:
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m coordinator.testing", description=__doc__)
    parser.add_argument("--agents", type=int, default=1, metavar="N", help="how many that behave alike")
    parser.add_argument("--script", default="good", metavar="NAME|FILE|JSON", help="how; see --list")
    parser.add_argument("--name", default="agent", help="their names begin with this")
    parser.add_argument("--skill", action="append", metavar="ID", help="a skill on their cards; repeatable")
    parser.add_argument("--no-streaming", action="store_true", help="their cards say they do not stream")
    parser.add_argument("--pushing", action="store_true", help="their cards say they push to webhooks")
    parser.add_argument(
        "--fleet", metavar="FILE", help="instead: a JSON list of specialists; - for the first input line"
    )
    parser.add_argument("--write-cards", type=Path, metavar="DIR", help="put their cards there, for a coordinator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input ends")
    parser.add_argument("--list", action="store_true", help="show the scripts that have a name")
    return parser


def _specialists(options: argparse.Namespace) -> list[Specialist]:
    if options.fleet:
        text = sys.stdin.readline() if options.fleet == "-" else Path(options.fleet).read_text(encoding="utf-8")
        return [specialist_from(document) for document in json.loads(text)]
    skills = tuple(options.skill or ["work"])
    like = Specialist(
        options.name,
        _script(options.script),
        skills=skills,
        streaming=not options.no_streaming,
        pushing=options.pushing,
    )
    return crowd(options.agents, like)


def _script(text: str) -> Script:
    if text in SCRIPTS:
        return SCRIPTS[text].script
    return script_from(json.loads(text if text.startswith(("{", "[")) else Path(text).read_text(encoding="utf-8")))


async def _serve(specialists: list[Specialist], options: argparse.Namespace) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if options.until_eof:
        loop.add_reader(sys.stdin, lambda: None if sys.stdin.read(1) else ended.set())
    async with fleet(specialists, host=options.host, port=options.port, seed=options.seed) as running:
        if options.write_cards:
            running.write_cards(options.write_cards)
        sys.stdout.write(json.dumps(_told(running)) + "\n")
        sys.stdout.flush()
        await ended.wait()


def _told(running: Fleet) -> dict[str, str | int]:
    return {"url": running.url, "agents": len(running.agents), "cards": f"{running.url}/cards"}


if __name__ == "__main__":
    sys.exit(main())
