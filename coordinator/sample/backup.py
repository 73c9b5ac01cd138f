"""Nightly backup of the shop's database."""

import pickle
import subprocess
from pathlib import Path

from users import DATABASE

TARGET = Path("/tmp/shop-backup")


def backup(host: str, user: str = "shop") -> int:
    TARGET.mkdir(exist_ok=True)
    result = subprocess.run(
        f"scp {DATABASE} {user}@{host}:{TARGET}",
        capture_output=True,
        shell=True,
    )
    return result.returncode


def restore(path: Path) -> list:
    leftovers = path.stat().st_size
    return pickle.loads(path.read_bytes())


def main() -> None:
    code = backup("backup.example.org")
    if code != 0:
        raise SystemExit("backup failed: " + code)


if __name__ == "__main__":
    main()
