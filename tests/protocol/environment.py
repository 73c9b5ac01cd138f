"""Environments of their own for what cannot be installed beside the SDK of version 1.0, such as the one of 0.3."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

SDK = "a2a-sdk[http-server]==0.3.26"
PLACE = Path(__file__).parents[2] / ".venv-a2a-0.3"
INSTALLING_S = 300.0


class NotInstalled(Exception):
    """The environment could not be made."""


def python_of_v03() -> Path:
    """Return the interpreter that has the SDK of version 0.3. Raises `NotInstalled` with what the installer said."""
    return python_with(PLACE, SDK)


def python_with(place: Path, *requirements: str) -> Path:
    """Return an interpreter at *place* that has *requirements*; the first caller of all processes installs it, once.

    Raises `NotInstalled` with what the installer said.
    """
    python = place / "bin" / "python"
    ready = place / f"ready-{'-'.join(requirements)}-python{sys.version_info.major}.{sys.version_info.minor}"
    with FileLock(f"{place}.lock"):
        if not ready.exists():
            run([sys.executable, "-m", "venv", "--clear", str(place)])
            run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
            ready.touch()
    return python


def run(command: Sequence[str], cwd: Path | None = None) -> None:
    """Run an installer. Raises `NotInstalled` with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING_S, check=False, cwd=cwd)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{' '.join(command)}: not done after {INSTALLING_S:g} s") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise NotInstalled(f"{' '.join(command)} failed; is the package registry within reach?\n{last}")
