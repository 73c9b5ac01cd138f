"""The frameworks of others, installed in folders that git ignores: exact versions, nothing of it in our environment."""

import re
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from tests.protocol.environment import NotInstalled, python_with, run

ROOT = Path(__file__).parents[2]
AGENTS = Path(__file__).with_name("agents")
JAVASCRIPT = AGENTS / "javascript"
REQUIREMENTS = {
    "adk": ("google-adk[a2a]==2.13.0", "a2a-sdk[http-server]==1.3.0", "uvicorn==0.54.0"),
    "strands": ("strands-agents[a2a]==1.62.0", "a2a-sdk==0.3.26"),
    "fasta2a": ("fasta2a==2.1.1", "uvicorn==0.54.0"),
}
NODE = 20


def command_of(name: str) -> list[object]:
    """Return the command that serves an agent at `{port}`. Raises `NotInstalled` with what is missing."""
    if name == "javascript":
        return [_node(), JAVASCRIPT / "agent.js", "{port}"]
    python = python_with(ROOT / f".venv-{name}", *REQUIREMENTS[name])
    return [python, AGENTS / f"{name}_agent.py", "--port", "{port}"]


def _node() -> str:
    """Return node, once the packages are there."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise NotInstalled(f"the agent in JavaScript needs node {NODE} or newer and npm, and they are not on the PATH")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < NODE:
        raise NotInstalled(f"the agent in JavaScript needs node {NODE} or newer; this is {version.strip()}")
    ready, wanted = JAVASCRIPT / "node_modules" / ".ready", (JAVASCRIPT / "package.json").read_text()
    with FileLock(JAVASCRIPT / ".lock"):
        if not ready.exists() or ready.read_text() != wanted:
            run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=JAVASCRIPT)
            ready.write_text(wanted)
    return node
