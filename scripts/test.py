"""Runs the suite, arguments go to pytest: `.venv/bin/python scripts/test.py -x`.

With `--all` as its first argument also what takes longest: tests marked slow, and every notebook in both languages.
One process a part, since PyTorch and TensorFlow must not meet in one. All run, also after one has failed.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("neutral", "pytorch", "tensorflow", "notebooks", "lab", "grading")
# Without --all each lesson runs once in each framework, and once in each language.
ONCE = (("en", "pytorch"), ("es", "tensorflow"))


def list_parts(everything: bool) -> list[list[str]]:
    """The arguments of each pytest."""
    parts = [[f"tests/{name}", *([] if everything else ["-m", "not slow"])] for name in FOLDERS]
    notebooks = [
        path.relative_to(ROOT)
        for path in sorted((ROOT / "notebooks").glob("e[ns]/*.ipynb"))
        if everything or (path.parent.name, path.stem.rpartition("_")[2]) in ONCE
    ]
    # From top to bottom; nbval compares the outputs of the cells that promise to be reproducible.
    return [*parts, ["--nbval-lax", "--nbval-current-env", *map(str, notebooks)]]


def main(arguments: list[str]) -> int:
    """Runs pytest on each part; 0 where all passed. A part in which no test was found has failed."""
    everything = arguments[:1] == ["--all"]
    failed = []
    for part in list_parts(everything):
        name = "notebooks" if part[0].startswith("--nbval") else part[0]
        print(f"\npytest {' '.join(part)}", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", *part, *arguments[everything:]], cwd=ROOT).returncode:
            failed.append(name)
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
