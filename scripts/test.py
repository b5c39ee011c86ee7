"""Runs the whole suite, arguments go to pytest: `.venv/bin/python scripts/test.py -x`.

One process a part, since PyTorch and TensorFlow must not meet in one. All run, also after one has failed.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    ["tests/neutral"],
    ["tests/pytorch"],
    ["tests/tensorflow"],
    ["tests/notebooks"],
    ["tests/lab"],
    ["tests/grading"],
    # every built notebook from top to bottom; nbval compares the outputs of the cells that promise to be reproducible
    ["--nbval-lax", "--nbval-current-env", "notebooks/en", "notebooks/es"],
)


def main() -> int:
    """Runs pytest on each part; 0 where all passed. A part in which no test was found has failed."""
    failed = []
    for part in PARTS:
        print(f"\npytest {' '.join(part)}", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", *part, *sys.argv[1:]], cwd=ROOT).returncode:
            failed.append(part[-1])
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
