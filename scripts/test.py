"""Runs the whole suite, arguments go to pytest: `.venv/bin/python scripts/test.py -x`.

One process a folder, since PyTorch and TensorFlow must not meet in one. All run, also after one has failed.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("tests/neutral", "tests/pytorch", "tests/tensorflow", "tests/notebooks")


def main() -> int:
    """Runs pytest on each folder; 0 where all passed. A folder in which no test was found has failed."""
    failed = []
    for folder in FOLDERS:
        print(f"\n{folder}", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", folder, *sys.argv[1:]], cwd=ROOT).returncode:
            failed.append(folder)
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
