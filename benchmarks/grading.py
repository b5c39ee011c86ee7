"""How fast grading is: against nbgrader on the same notebooks, over 1,000 trivial ones, and 100,000 simulated.

    python benchmarks/grading.py throughput --nbgrader OTHER/bin/python   (an environment with nbgrader 0.9.6)
    python benchmarks/grading.py trivial
    python benchmarks/grading.py simulate

Prints JSON. nbgrader's kernels run in this environment, so that both import the same packages.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import yaml

from tlgrade import batch
from tlgrade.box import self_test
from tlgrade.lab import open_lab
from tlgrade.settings import BoxSettings
from tlgrade.store import ResultStore
from tlgrade.submissions import find_submissions

IMAGES, BREEDS = 111, 16
# A submission that imports torch and predicts the images with a given head.
PREDICT = """
import csv, json, os
import numpy as np
from torch.utils.data import DataLoader
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict

data = os.environ["TLHELPERS_LAB_DATA"]
hidden, head = np.load(data + "/hidden.npz"), np.load(data + "/val.npz")
about = json.load(open(data + "/classes.json"))
network, prepare = load_network("mini_resnet")
replace_head(network, 0)
images = hidden["images"]
features = predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), 64))
order = np.argsort(-(features @ head["head"]), axis=1)[:, :3]
with open(os.environ["TLHELPERS_LAB_OUT"] + "/predictions.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "first", "second", "third", "species"])
    for name, row in zip(hidden["ids"], order):
        writer.writerow([name, *(about["breeds"][i] for i in row), about["species"][row[0]]])
"""
DEFINITION = {
    "name": "bench",
    "title": {"en": "Bench", "es": "Bench"},
    "datasets": ["drawn_pets_breeds"],
    "tasks": [
        {
            "id": "final", "title": {"en": "Predictions", "es": "Predicciones"}, "points": 1, "kind": "predictions",
            "file": "predictions.csv", "measure": "top1", "steps": {"drawn_pets_breeds": [[0.0, 1]]},
        },
    ],
}  # fmt: skip


def main() -> None:
    """Runs one of the three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("throughput", "trivial", "simulate"))
    parser.add_argument("--nbgrader", type=Path, help="a Python that has nbgrader 0.9.6")
    parser.add_argument("--submissions", type=int, help="how many; default 40, 1,000 and 100,000")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=0.5, help="that a simulated submission takes (%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.part == "throughput":
            found = measure_throughput(Path(folder), args.submissions or 40, args.workers, args.nbgrader)
        elif args.part == "trivial":
            found = measure_trivial(Path(folder), args.submissions or 1000, args.workers)
        else:
            found = simulate(args.submissions or 100_000, args.seconds)
    print(json.dumps(found, indent=1))


def write_lab(folder: Path) -> Path:
    """A lab of random images and a random head: the speed does not depend on what is in them."""
    data, rng = folder / "data", np.random.default_rng(0)
    data.mkdir(parents=True)
    labels, ids = rng.integers(0, BREEDS, IMAGES), [rng.bytes(8).hex() for _ in range(IMAGES)]
    images = rng.integers(0, 256, (IMAGES, 64, 64, 3), np.uint8)
    np.savez(data / "hidden.npz", images=images, ids=np.array(ids))
    np.savez(data / "val.npz", head=rng.normal(size=(256, BREEDS)).astype(np.float32))
    breeds = [f"breed {i}" for i in range(BREEDS)]
    about = {"breeds": breeds, "species": ["cat"] * BREEDS, "dataset": "drawn_pets_breeds", "image_size": 64}
    (data / "classes.json").write_text(json.dumps(about))
    (folder / "labels.json").write_text(json.dumps(dict(zip(ids, labels.tolist(), strict=True))))
    settings = {"dataset": "drawn_pets_breeds", "image_size": 64, "seed": 1}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "definition.yaml").write_text(yaml.safe_dump(DEFINITION))
    return folder


def write_submissions(folder: Path, count: int, source: str, framework: str | None) -> None:
    """Notebooks that differ, since equal ones are graded once."""
    for number in range(count):
        node = nbformat.v4.new_notebook()
        node.metadata = {"tlhelpers": {"framework": framework}, "kernelspec": {"name": "python3", "display_name": ""}}
        node.cells = [_cell(f"number = {number}\n{source}"), _cell("assert number >= 0", "check", 1)]
        path = folder / f"learner{number:05}" / "ps1" / "lab.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(node, path)


def _cell(source: str, check: str | None = None, points: int = 0) -> nbformat.NotebookNode:
    if check is None:
        return nbformat.v4.new_code_cell(source)
    marked = {"grade_id": check, "grade": True, "solution": False, "locked": True, "points": points,
              "schema_version": 3, "task": False, "cell_type": "code"}  # fmt: skip
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": marked})


def grade_all(
    folder: Path, submissions: Path, workers: int, store: ResultStore | None = None
) -> tuple[float, list[dict]]:
    """Seconds that our grader takes, from nothing running to the last result, and the results."""
    lab = write_lab(folder / "lab")
    settings = BoxSettings(lab_data=open_lab(str(lab)).data)
    self_test(settings)
    handed_in = [found for learner in sorted(submissions.iterdir()) for found in find_submissions(learner)]
    handed_in = [type(found)(found.path.parts[-3], found.path) for found in handed_in]
    store = store or ResultStore(folder / "results")
    started = time.perf_counter()
    done = batch.grade_batch(handed_in, lab, settings, store, workers=workers, progress=sys.stderr.isatty())
    seconds = time.perf_counter() - started
    if done.failures:
        raise SystemExit(f"not graded: {done.failures}")
    return seconds, [store.read(key) for key in done.keys.values()]


def measure_throughput(folder: Path, count: int, workers: int, nbgrader: Path | None) -> dict:
    """Submissions a minute, ours and nbgrader's, on the same notebooks in one run."""
    submissions = folder / "submitted"
    write_submissions(submissions, count, PREDICT, "pytorch")
    seconds, results = grade_all(folder, submissions, workers)
    found = {"submissions": count, "workers": workers, "ours_a_minute": 60 * count / seconds}
    found["points"] = sorted({result["points"] for result in results})
    found["forked"] = sum(result["measured"]["forked"] for result in results)
    if nbgrader:
        theirs = run_nbgrader(folder, nbgrader)
        found |= {"nbgrader_a_minute": 60 * count / theirs, "ratio": theirs / seconds}
    return found


def run_nbgrader(folder: Path, python: Path) -> float:
    """Seconds of `nbgrader autograde` for all submissions, in one process, as it is quickest."""
    kernel = folder / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    source = folder / "source/ps1/lab.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes((folder / "submitted/learner00000/ps1/lab.ipynb").read_bytes())
    (folder / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(folder)!r}\n")
    (folder / "out").mkdir()
    environment = {
        **os.environ, "JUPYTER_PATH": str(folder / "jupyter"), "TLHELPERS_LAB_DATA": str(folder / "lab/data"),
        "TLHELPERS_LAB_OUT": str(folder / "out"), "OMP_NUM_THREADS": "1",
        "PATH": f"{python.parent}:{os.environ['PATH']}",  # it calls alembic
    }  # fmt: skip
    seconds = 0.0
    for command in (["generate_assignment", "ps1", "--create", "--force"], ["autograde", "ps1", "--create"]):
        started = time.perf_counter()
        done = subprocess.run(
            [str(python), "-m", "nbgrader", *command], cwd=folder, env=environment, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
    return seconds


class WatchedStore(ResultStore):
    """Notes the memory of this process, and what it and its children hold, at each result."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.memory: list[int] = []

    def write(self, key: str, result: dict) -> None:
        """As of a store, with a note."""
        super().write(key, result)
        self.memory.append(psutil.Process().memory_info().rss)


def measure_trivial(folder: Path, count: int, workers: int) -> dict:
    """Whether the driver's memory stays flat over many small submissions, and what is left at the end."""
    write_submissions(folder / "submitted", count, "answer = 1", None)
    store = WatchedStore(folder / "results")
    before = _held()
    seconds, _ = grade_all(folder, folder / "submitted", workers, store)
    part = max(1, count // 10)
    first, last = np.mean(store.memory[:part]), np.mean(store.memory[-part:])
    return {
        "submissions": count, "a_minute": 60 * count / seconds, "first_tenth_mib": first / 2**20,
        "last_tenth_mib": last / 2**20, "growth": float(last / first - 1), "before": before, "after": _held(),
    }  # fmt: skip


def _held() -> dict:
    own = psutil.Process()
    children = own.children(recursive=True)
    zombies = [child for child in children if child.status() == psutil.STATUS_ZOMBIE]
    left = list(Path(tempfile.gettempdir()).glob(f"tlhelpers-*{os.getpid()}*"))
    named = [" ".join(child.cmdline())[-80:] for child in children]
    return {"files": own.num_fds(), "children": named, "zombies": len(zombies), "folders": len(left)}


def simulate(count: int, seconds: float) -> dict:
    """What dask costs: `count` tasks that do nothing, and how tasks that sleep share out over 2, 8 and 32 workers."""
    found = {}
    for workers in (2, 8, 32):
        with batch.open_cluster(workers, None) as client:
            client.wait_for_workers(workers)
            many = max(1, int(30 * workers / seconds))  # half a minute of work
            slept = _time(client, many, seconds)
            found[workers] = {
                "sleeping": many, "speedup": many * seconds / slept, "efficiency": many * seconds / slept / workers,
                "overhead_ms": 1000 * _time(client, count, 0.0) / count, "submissions": count,
            }  # fmt: skip
        print(workers, json.dumps(found[workers]), file=sys.stderr, flush=True)
    return found


def _time(client, count: int, seconds: float) -> float:
    started = time.perf_counter()
    for _ in batch.run_windows(client, _sleep, ((number, seconds) for number in range(count))):
        pass
    return time.perf_counter() - started


def _sleep(number: int, seconds: float) -> int:
    time.sleep(seconds)
    return number


if __name__ == "__main__":
    main()
