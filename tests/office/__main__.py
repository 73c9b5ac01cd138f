"""Put what is on the desk into a folder: `python -m tests.office FOLDER`."""

import sys
from pathlib import Path

from tests.office.samples import desk

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in desk().items():
        (folder / name).write_bytes(content)
