"""Runs the suite, or the parts of it that are named first; other arguments go to pytest.

    .venv/bin/python scripts/test.py                  all parts
    .venv/bin/python scripts/test.py neutral course   two of them
    .venv/bin/python scripts/test.py lab -x           one, until its first failure

With `--all` as its first argument also what takes longest: tests marked slow, and every notebook with the parameters
that learners see, in both languages, its outputs compared with the committed ones.
Each part is a process of its own, since PyTorch and TensorFlow must not meet in one. Parts run side by side, one a
core, which takes less time than one after the other with all cores. All run, also after one has failed.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The longest first, so that at the end no core waits long for another. Grading mostly waits for notebooks that hang.
PARTS = (
    "notebooks/test_tensorflow.py",
    "notebooks/test_pytorch.py",
    "grading",
    "tensorflow",
    "course",
    "neutral",
    "pytorch",
    "lab",
)
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
MOST = 4  # parts at a time, each with up to 2 GB in memory


def list_parts(everything: bool, named: list[str]) -> list[list[str]]:
    """The arguments of each pytest; `named` are parts of `PARTS`, none for all."""
    parts = [[f"tests/{name}", *([] if everything else ["-m", "not slow"])] for name in named or PARTS]
    if everything and not named:
        for variant in ("en/*_pytorch", "es/*_pytorch", "en/*_tensorflow", "es/*_tensorflow"):
            notebooks = sorted((ROOT / "notebooks").glob(f"{variant}.ipynb"))
            # From top to bottom; nbval compares the outputs of the cells that promise to be reproducible.
            names = [str(path.relative_to(ROOT)) for path in notebooks]
            parts.insert(0, ["--nbval-lax", "--nbval-current-env", *names])
    return parts


def run_part(arguments: list[str], threads: int) -> tuple[int, bytes, float]:
    """Runs one pytest: its exit code, what it printed, and seconds."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", *arguments]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout, time.monotonic() - started


def main(arguments: list[str]) -> int:
    """Runs all parts, prints what each said when it is done; 0 where all passed."""
    everything = arguments[:1] == ["--all"]
    arguments = arguments[everything:]
    named = list(takewhile(PARTS.__contains__, arguments))
    parts, started, failed = list_parts(everything, named), time.monotonic(), []
    cores = os.cpu_count() or 1
    workers = min(cores, MOST, len(parts))
    print(f"{len(parts)} of {len(PARTS)} parts, {workers} at a time; each is printed when it is done", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        running = {
            pool.submit(run_part, [*part, *arguments[len(named) :]], cores // workers): " ".join(part[:3])
            for part in parts
        }
        try:
            for done in as_completed(running):
                code, printed, seconds = done.result()
                failed += [running[done]] * (code != 0)  # also where no test was found
                print(f"\n== pytest {running[done]}: {seconds:.0f} s", flush=True)
                sys.stdout.buffer.write(printed)
                sys.stdout.flush()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    spent = os.times()
    print(f"\n{time.monotonic() - started:.0f} s; {spent.children_user + spent.children_system:.0f} s of processors")
    if failed:
        print("\nFailed:", *failed, sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
