"""One folder for all reviews of this process, and the removal of those that dead ones left.

Each process holds a lock on its folder for as long as it lives; the kernel drops the lock when it
dies, however it dies. So a folder whose lock can be taken belongs to nobody.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp

_PREFIX = "a2a-review-"
_LOCK = ".lock"


@contextmanager
def premises(parent: Path | None = None) -> Iterator[Path]:
    """Yield a folder of our own below *parent* (the system's temporary one), removed at the end."""
    place = parent or Path(gettempdir())
    _sweep(place)
    folder, lock = _claim(place)
    try:
        yield folder
    finally:
        rmtree(folder)
        os.close(lock)


def _claim(place: Path) -> tuple[Path, int]:
    while True:
        folder = Path(mkdtemp(prefix=_PREFIX, dir=place))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Between these two lines a sweeping process may take it for a dead one's: begin again.
        if _locked(lock) and folder.exists():
            return folder, lock
        os.close(lock)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        # Another user's, or removed meanwhile by another process that sweeps: not our concern.
        with suppress(FileNotFoundError, PermissionError):
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if _locked(lock):
                    rmtree(folder)
            finally:
                os.close(lock)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
