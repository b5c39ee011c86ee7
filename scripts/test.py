"""Runs the suite, arguments go to pytest: `.venv/bin/python scripts/test.py -x`.

With `--all` as its first argument also what takes longest: tests marked slow, and every notebook in both languages.
Each part is a process of its own, since PyTorch and TensorFlow must not meet in one. Parts of the two frameworks run
side by side, each with half of the processor, which takes less time than one after the other. All run, also after one
has failed.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Side by side where two stand in a line. What measures time, or starts many processes itself, stands alone.
FOLDERS = (("pytorch", "tensorflow"), ("neutral",), ("lab",), ("grading",), ("notebooks",))
# Without --all each lesson runs once in each framework, and once in each language.
ONCE = (("en", "pytorch"), ("es", "tensorflow"))
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def list_parts(everything: bool) -> list[list[list[str]]]:
    """The arguments of each pytest, in groups that run side by side."""
    slow = [] if everything else ["-m", "not slow"]
    groups = [[[f"tests/{name}", *slow] for name in group] for group in FOLDERS]
    lessons = []
    for framework in ("pytorch", "tensorflow"):
        notebooks = [
            str(path.relative_to(ROOT))
            for path in sorted((ROOT / "notebooks").glob(f"e[ns]/*_{framework}.ipynb"))
            if everything or (path.parent.name, framework) in ONCE
        ]
        # From top to bottom; nbval compares the outputs of the cells that promise to be reproducible.
        lessons.append(["--nbval-lax", "--nbval-current-env", *notebooks])
    return [*groups, lessons]


def run_side_by_side(parts: list[list[str]], arguments: list[str]) -> list[str]:
    """Runs pytest on each part of a group, and prints what each said when all are done; those that failed."""
    threads = {name: str(max(1, (os.cpu_count() or 1) // len(parts))) for name in THREADS} if len(parts) > 1 else {}
    running, started = [], time.monotonic()
    for part in parts:
        print(f"\npytest {' '.join(part)}", flush=True)
        said = None if len(parts) == 1 else tempfile.TemporaryFile()  # noqa: SIM115  (closed with this process)
        command = [sys.executable, "-m", "pytest", *part, *arguments]
        environment = {**os.environ, **threads}
        running.append((part, said, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)))
    failed = []
    for part, said, process in running:
        if process.wait():  # also where no test was found
            failed.append(" ".join(part))
        if said is not None:
            said.seek(0)
            print(f"\n== pytest {part[0]} {part[-1]}", flush=True)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return failed


def main(arguments: list[str]) -> int:
    """Runs all parts; 0 where all passed."""
    everything = arguments[:1] == ["--all"]
    failed = [part for group in list_parts(everything) for part in run_side_by_side(group, arguments[everything:])]
    if failed:
        print("\nFailed:", *failed, sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
