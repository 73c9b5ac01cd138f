"""Start the program a job names in a clean interpreter: `python -I worker.py JOB`.

By path and with `-I`, so that neither the working directory nor the environment decides what is
imported. The only folder added is the one this package lies in, which is never a reviewed one.
"""

import json
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    packages = str(Path(__file__).resolve().parents[2])
    if packages not in sys.path:
        sys.path.insert(0, packages)
    package = json.loads(Path(sys.argv[1]).read_bytes())["package"]
    runpy.run_module(package, run_name="__main__", alter_sys=False)
