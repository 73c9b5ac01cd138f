"""Other revisions of this program, as folders to start it from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory


def exported(revision: str, folder: Path) -> Path:
    """Write *revision* of this repository to *folder* and return that. Raises `SystemExit` when there is none.

    It runs with the libraries that are installed for this one.
    """
    with TemporaryDirectory() as place:
        # An index of its own: what is staged in the real one stays as it is.
        settings = {**os.environ, "GIT_INDEX_FILE": str(Path(place) / "index")}
        read = subprocess.run(["git", "read-tree", revision], env=settings, capture_output=True, check=False)
        if read.returncode:
            raise SystemExit(f"there is no revision {revision!r} here: {read.stderr.decode().strip()}")
        subprocess.run(["git", "checkout-index", "--all", f"--prefix={folder}/"], env=settings, check=True)
    return folder
