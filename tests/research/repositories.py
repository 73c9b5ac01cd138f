"""A small repository with a history, and the research agents in front of a coordinator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import MessageToJson

from coordinator.cli.members import RESEARCH, free_ports
from specialist_agents.cards import at_address, read_card
from specialist_agents.testing import running

AGENTS = ("search-dependencies", "search-documentation", "search-history", "search-source", "search-tests")

FILES = {
    "shop/basket.py": '"""Baskets."""\n\n\nclass Basket:\n    """Holds articles."""\n\n    def total(self, tax_rate):\n'
    '        """Return the price with the value added tax."""\n        return round(self.net * (1 + tax_rate), 2)\n',
    "shop/mail.py": "def greet(name):\n    return f'Hello {name}'\n",
    "tests/test_basket.py": "from shop.basket import Basket\n\n\ndef test_the_tax_is_added_to_the_total():\n"
    "    assert Basket().total(tax_rate=0.19)\n",
    "README.md": "# Shop\n\nSells things.\n\n## Taxes\n\nThe tax is a rate, `tax_rate`, of the net total.\n",
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = [\n  "taxes-of-the-world>=2",\n  "httpx",\n]\n',
    "requirements.txt": "httpx==0.28.1  # mails\n",
    "web/app.js": "function showTax(total) { return total * taxRate; }\n",
}


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """Run git as a known person, without anybody's configuration."""
    ours = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@secret.example",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@secret.example",
        "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    }
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=ours | environment, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, subject: str, files: Mapping[str, str | None]) -> str:
    """Write files (None removes one), commit them, and return the commit's id."""
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD").strip()


def made(folder: Path) -> Path:
    """Make the small repository in *folder* and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    commit(folder, "Begin a shop", {name: text for name, text in FILES.items() if "basket" not in name})
    commit(folder, "Baskets know the tax\n\nA rate, since rates differ.", FILES)
    return folder


def plan() -> dict[str, Any]:
    """Return the plan that ships, without the pauses before a further attempt."""
    document: dict[str, Any] = yaml.safe_load((RESEARCH.plans / "research.yaml").read_text(encoding="utf-8"))
    document["stages"]["search"]["on_failure"]["retry"]["backoff"] = "1ms..1ms"
    return document


@asynccontextmanager
async def searching(folder: Path, dead: Collection[str] = ()) -> AsyncIterator[Path]:
    """Serve the agents that are not *dead*, each over a socket of its own; yield the folder of all cards."""
    async with AsyncExitStack() as stack:
        for name, port in zip(AGENTS, free_ports(len(AGENTS)), strict=True):
            alive = name not in dead
            url = await stack.enter_async_context(running(name)) if alive else f"http://127.0.0.1:{port}/"
            _write(folder / f"{name}.json", MessageToJson(at_address(read_card(name), url)))
        yield folder


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")
