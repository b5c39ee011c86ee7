"""How fast grading is, and what neighbours cost.

    python benchmarks/grading.py throughput --nbgrader OTHER/bin/python   (an environment with nbgrader 0.9.6)
    python benchmarks/grading.py start      (seconds from the command to the first kernel, for a batch of one)
    python benchmarks/grading.py mixed      (solutions and quick honest notebooks beside attacks; a quarter of an hour)
    python benchmarks/grading.py trivial
    python benchmarks/grading.py simulate

Prints JSON. nbgrader's kernels run in this environment, so that both import the same packages.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
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
    """Runs one of the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("throughput", "start", "mixed", "trivial", "simulate"))
    parser.add_argument("--nbgrader", type=Path, help="a Python that has nbgrader 0.9.6")
    parser.add_argument("--submissions", type=int, help="how many; default 40, 1,000 and 100,000")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=0.5, help="that a simulated submission takes (%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.part == "throughput":
            found = measure_throughput(Path(folder), args.submissions or 40, args.workers, args.nbgrader)
        elif args.part == "start":
            found = measure_start(Path(folder))
        elif args.part == "mixed":
            found = measure_mixed(Path(folder), args.workers)
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
    settings = {"dataset": "drawn_pets_breeds", "image_size": 64, "key": "12345678" * 4}
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
    handed_in, _ = find_submissions(submissions)
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


def measure_start(folder: Path) -> dict:
    """Seconds from the command to the first kernel, for a batch of one; a lab that is made, and one that is there."""
    (folder / "submissions").mkdir()
    node = nbformat.v4.new_notebook(cells=[_cell("import time\ntime.sleep(60)")])
    found = {"load": os.getloadavg()[0]}
    for name, words in {"lab_made": [], "lab_kept": [], "lab_kept_pytorch": [], "lab_kept_cold": ["--no-fork"]}.items():
        node.metadata = {"tlhelpers": {"framework": "pytorch" if name.endswith("pytorch") else None}, "run": name}
        node.cells[0].source += "\n"  # another notebook: a known one is not run
        nbformat.write(node, folder / "submissions/ana.ipynb")
        command = [sys.executable, "-m", "tlgrade", str(folder / "submissions"), "--out", str(folder / "out"), *words]
        started = time.perf_counter()
        with subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not _has_kernel(process.pid) and process.poll() is None:
                time.sleep(0.02)
            found[name] = round(time.perf_counter() - started, 2) if process.poll() is None else None
            process.kill()
    return found


def _has_kernel(pid: int) -> bool:
    scripts = []
    try:
        for child in psutil.Process(pid).children(recursive=True):
            scripts += child.cmdline()[1:2]
    except psutil.Error:  # one ended while it was looked at
        return False
    # A template that has forked a kernel is three: itself, the guard, and process 1 of the kernel's namespace.
    return "/box/kernel.py" in scripts or scripts.count("/box/template.py") >= 3


QUICK = """
import numpy as np
import torch
from torch.utils.data import DataLoader

from tlhelpers import lab, metrics
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict

number = NUMBER
data = lab.load("drawn_pets_breeds", image_size=64)
network, prepare = load_network("mini_resnet")
replace_head(network, 0)


def features_of(images):
    return predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), 64))


three = lab.best_three(
    metrics.linear_probe(features_of(data.train.images), data.train.labels, features_of(data.hidden.images))
)
for task in lab.TASKS:
    lab.submit(data, three, data.species_labels(three[:, 0]) if task == "two_heads" else None, task=task)
"""
# One model, handed in five times: all but one point of fine-tuning, for which no weight moved, and a person is told.
DESERVED = {"full": "20", "quick": "19", "attack": "0"}
ATTACKS = (
    "busy neighbours", "fork bomb", "memory in many processes", "endless loop", "ignored interrupt", "a stopped kernel",
    "memory", "disk", "daemons", "300 MB of output", "300 MB in one message", "output past the kernel", "os._exit",
    "search for labels", "search for other submissions", "kill of everything", "closed descriptors", "forged messages",
    "writing outside", "empty lines",
)  # fmt: skip
MIXED_WALL = 120  # seconds; alone on a processor a full solution takes about half of it


def measure_mixed(folder: Path, workers: int) -> dict:
    """Two full solutions of the lab and four quick honest notebooks beside twenty attacks: who gets what."""
    from tests.grading.hostile import hostile_notebooks
    from tlcourse import lab_builder

    lab_builder.build(_copy_lab(folder), folder / "solved")
    solved = {(language, framework): (folder / f"solved/{language}/pets_lab_{framework}.ipynb").read_bytes()
              for language, framework in (("en", "pytorch"), ("es", "tensorflow"))}  # fmt: skip
    attacks = dict(hostile_notebooks("mixed", 1, ["/tmp", "/root"], "a-canary"))
    handed_in = [(f"attack {kind}", attacks[kind]) for kind in ATTACKS]
    for place, pair in ((0, ("en", "pytorch")), (10, ("es", "tensorflow"))):  # each beside other attacks
        handed_in.insert(place, (f"full {pair[1]}", solved[pair]))
    for number in range(4):
        handed_in.insert(3 + 6 * number, (f"quick {number}", _quick(solved["en", "pytorch"], number)))
    submissions = folder / "submissions"
    for number, (name, content) in enumerate(handed_in):
        (submissions / f"{number:02} {name}").mkdir(parents=True)
        (submissions / f"{number:02} {name}" / "lab.ipynb").write_bytes(content)
    words = ["--out", str(folder / "out"), "--workers", str(workers), "--wall", str(MIXED_WALL), "--no-progress"]
    command = [sys.executable, "-m", "tlgrade", str(submissions), *words]
    started = time.perf_counter()
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    seconds = time.perf_counter() - started
    with open(folder / "out/grades.csv", newline="", encoding="utf-8") as file:
        rows = {row["learner"]: row for row in csv.DictReader(file)}
    results = [json.loads(path.read_text()) for path in (folder / "out/results").glob("*/*.json")]
    honest = {name: (row["points"], row["run"], row["reasons"]) for name, row in rows.items() if "attack" not in name}
    return {
        "code": done.returncode, "told": done.stderr[-500:], "seconds": round(seconds), "load": os.getloadavg(),
        "honest": honest,
        "runs_of_20_points": sorted(r["measured"]["run"] for r in results if r["points"] == r["of"]),
        "attacks": {name: row["run"] for name, row in rows.items() if "attack" in name},
        "other_than_deserved": {name: (row["points"], row["reasons"]) for name, row in rows.items()
                                if row["points"] != DESERVED[name.split()[1]]},
        "ended_by_the_wall": [name for name in honest if rows[name]["run"] == "time"],
    }  # fmt: skip


def _copy_lab(folder: Path) -> Path:
    from tlcourse import lab_builder

    lab = lab_builder.find_lab(Path(__file__).parent)
    shutil.copytree(lab / "src", folder / "course/lab/src")
    shutil.copy(lab / "pets.yaml", folder / "course/lab")
    return folder / "course/lab"


def _quick(solved: bytes, number: int) -> bytes:
    """The solution's functions, and one head on frozen features that is handed in for every task."""
    node = nbformat.reads(solved.decode(), as_version=4)
    node.cells = [cell for cell in node.cells if cell.cell_type == "code" and cell.source.startswith("def ")
                  and "nbgrader" in cell.metadata]  # fmt: skip
    node.cells.append(_cell(QUICK.replace("NUMBER", str(number))))
    return nbformat.writes(node).encode()


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
    """What slots cost: `count` tasks that do nothing, and how tasks that sleep share out over 2, 8 and 32 of them."""
    found = {}
    for workers in (2, 8, 32):
        with ThreadPoolExecutor(workers) as pool:
            many = max(1, int(30 * workers / seconds))  # half a minute of work
            slept = _time(pool, workers, many, seconds)
            found[workers] = {
                "sleeping": many, "speedup": many * seconds / slept, "efficiency": many * seconds / slept / workers,
                "overhead_ms": 1000 * _time(pool, workers, count, 0.0) / count, "submissions": count,
            }  # fmt: skip
        print(workers, json.dumps(found[workers]), file=sys.stderr, flush=True)
    return found


def _time(pool: ThreadPoolExecutor, workers: int, count: int, seconds: float) -> float:
    started = time.perf_counter()
    for _ in batch.run_threads(pool, _sleep, ((number, seconds) for number in range(count)), slots=workers):
        pass
    return time.perf_counter() - started


def _sleep(number: int, seconds: float) -> int:
    time.sleep(seconds)
    return number


if __name__ == "__main__":
    main()
