"""An environment of its own for the SDK of version 0.3, which cannot be installed beside the one of 1.0."""

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
    """Return the interpreter that has the SDK; the first caller of all processes installs it, once.

    Raises `NotInstalled` with what the installer said.
    """
    python = PLACE / "bin" / "python"
    ready = PLACE / f"ready-{SDK}-python{sys.version_info.major}.{sys.version_info.minor}"
    with FileLock(f"{PLACE}.lock"):
        if not ready.exists():
            _run([sys.executable, "-m", "venv", "--clear", str(PLACE)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK])
            ready.touch()
    return python


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{' '.join(command)}: not done after {INSTALLING_S:g} s") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise NotInstalled(f"{' '.join(command)} failed; is the package registry within reach?\n{last}")
