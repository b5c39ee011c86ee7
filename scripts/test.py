"""Runs the suite; arguments go to pytest: `.venv/bin/python scripts/test.py -x`.

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The longest first, so that at the end no core waits long for another.
PARTS = (
    "notebooks/test_tensorflow.py",
    "notebooks/test_pytorch.py",
    "tensorflow",
    "course",
    "lab",
    "neutral",
    "pytorch",
)
ALONE = "grading"  # it starts many processes itself, and gives them seconds
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
MOST = 4  # parts at a time, each with up to 2 GB in memory


def list_parts(everything: bool) -> list[list[str]]:
    """The arguments of each pytest that may run beside others."""
    parts = [[f"tests/{name}", *select(everything)] for name in PARTS]
    if everything:
        for variant in ("en/*_tensorflow", "es/*_tensorflow", "en/*_pytorch", "es/*_pytorch"):
            notebooks = sorted((ROOT / "notebooks").glob(f"{variant}.ipynb"))
            # From top to bottom; nbval compares the outputs of the cells that promise to be reproducible.
            names = [str(path.relative_to(ROOT)) for path in notebooks]
            parts.insert(0, ["--nbval-lax", "--nbval-current-env", *names])
    return parts


def select(everything: bool) -> list[str]:
    """pytest's arguments that leave slow tests out, or not."""
    return [] if everything else ["-m", "not slow"]


def run_part(part: list[str], arguments: list[str], threads: int, **options) -> tuple[int, bytes | None, float]:
    """Runs one pytest: its exit code, what it printed where that was asked for, and seconds."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))} if threads else None
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "pytest", *part, *arguments], cwd=ROOT, env=environment, **options)
    return done.returncode, done.stdout, time.monotonic() - started


def run_side_by_side(parts: list[list[str]], arguments: list[str]) -> list[str]:
    """Runs parts, prints what each said when it is done, and returns those that failed."""
    cores = os.cpu_count() or 1
    workers = min(cores, MOST)
    failed, options = [], {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run_part, part, arguments, cores // workers, **options): part for part in parts}
        print(f"{len(parts)} parts, {workers} at a time; each is printed when it is done", flush=True)
        try:
            for done in as_completed(running):
                name, (code, printed, seconds) = " ".join(running[done][:3]), done.result()
                failed += [name] * (code != 0)  # also where no test was found
                print(f"\n== pytest {name}: {seconds:.0f} s", flush=True)
                sys.stdout.buffer.write(printed)
                sys.stdout.flush()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def main(arguments: list[str]) -> int:
    """Runs all parts; 0 where all passed."""
    everything = arguments[:1] == ["--all"]
    arguments, started = arguments[everything:], time.monotonic()
    failed = run_side_by_side(list_parts(everything), arguments)
    print(f"\n== pytest tests/{ALONE}", flush=True)
    if run_part([f"tests/{ALONE}", *select(everything)], arguments, threads=0)[0]:
        failed.append(f"tests/{ALONE}")
    spent = os.times()
    processors = spent.children_user + spent.children_system
    print(f"\nAll: {time.monotonic() - started:.0f} s; {processors:.0f} s of processors", flush=True)
    if failed:
        print("\nFailed:", *failed, sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
