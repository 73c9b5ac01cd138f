"""Other revisions of this program, as folders to start it from."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path


def exported(revision: str, folder: Path) -> Path:
    """Write *revision* of this repository to *folder* and return that. Raises `SystemExit` when there is none.

    It runs with the libraries that are installed for this one.
    """
    archive = subprocess.run(["git", "archive", "--format=tar", revision], capture_output=True, check=False)
    if archive.returncode:
        raise SystemExit(f"there is no revision {revision!r} here: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder
