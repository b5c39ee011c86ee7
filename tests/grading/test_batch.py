"""A class: what is written for learners and graders, what a rerun does, and what is left when the grader is killed."""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.grading.hostile import hostile_notebooks
from tests.grading.processes import find_processes, wait_until_none
from tests.grading.tiny_lab import SOLVED_PREDICTIONS, make_notebook, write_lab
from tlgrade import commands
from tlgrade.feedback import file_name

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("TLHELPERS_KILLS", "1"))  # moments at which a batch is killed; more of them at night
SUBMISSIONS = 8 if KILLS == 1 else 30


@pytest.fixture
def folders(tmp_path):
    """A folder of submissions, and one for results with the tiny lab in it."""
    out = tmp_path / "out"
    write_lab(out / "lab")
    submissions = tmp_path / "submissions"
    submissions.mkdir()
    return submissions, out


def hand_in(submissions: Path, learner: str, content: bytes, name: str = "lab.ipynb") -> None:
    (submissions / learner).mkdir()
    (submissions / learner / name).write_bytes(content)


def run_grade(submissions: Path, out: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    given = [str(submissions), "--out", str(out), "--lab", str(out / "lab/definition.yaml"), "--no-progress", *words]
    return commands.run(parser.parse_args(given))


def read_csv(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def hand_in_a_class(submissions: Path) -> None:
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS, language="es"))
    hand_in(submissions, "bo", make_notebook())
    hand_in(submissions, "=HYPERLINK(1)", make_notebook(SOLVED_PREDICTIONS, "pass"))
    (submissions / "nobody").mkdir()
    (submissions / "flat.ipynb").write_bytes(make_notebook(SOLVED_PREDICTIONS, "1"))
    (submissions / "link.ipynb").symlink_to(submissions / "flat.ipynb")


def test_a_class_is_graded_and_told(box, folders, capsys):
    submissions, out = folders
    hand_in_a_class(submissions)
    assert run_grade(submissions, out, "--workers", "2", "--leaderboard") == 0
    rows = {row["learner"]: row for row in read_csv(out / "grades.csv")}
    assert {name: row["points"] for name, row in rows.items()} == {
        "ana": "4", "bo": "1", "'=HYPERLINK(1)": "4", "nobody": "0", "flat": "4", "link": "0",
    }  # fmt: skip
    assert "predictions.csv" in rows["bo"]["reasons"]
    assert "no notebook" in rows["nobody"]["reasons"]
    assert "link" in rows["link"]["reasons"]
    page = (out / "feedback" / f"{file_name('ana')}.html").read_text()
    assert 'lang="es"' in page
    assert "Equilibrio" in page
    assert "<script" not in page
    assert "Hardest breeds" in (out / "class.html").read_text()
    assert len(read_csv(out / "leaderboard.csv")) == 3
    assert read_csv(out / "moodle.csv")[0]["Grade"] == "4"
    assert read_csv(out / "canvas.csv")[0]["Student"].strip() == "Points Possible"


def test_a_rerun_does_only_what_is_missing(box, folders, capsys):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    assert run_grade(submissions, out) == 0
    first = (out / "grades.csv").read_bytes()
    hand_in(submissions, "bo", make_notebook())
    capsys.readouterr()
    assert run_grade(submissions, out) == 0
    assert "1 graded, 1 already there" in capsys.readouterr().out
    shutil.rmtree(submissions / "bo")
    assert run_grade(submissions, out) == 0
    assert (out / "grades.csv").read_bytes() == first


def test_labels_and_hidden_images_are_in_no_report(box, folders):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook("print('printed-in-the-run')", SOLVED_PREDICTIONS))
    assert run_grade(submissions, out) == 0
    told = "".join(path.read_text() for path in [*out.glob("*.csv"), *out.glob("*.html"), *out.glob("feedback/*")])
    assert "printed-in-the-run" not in told
    for name in json.loads((out / "lab/labels.json").read_text()):
        assert name not in told


def test_without_a_box_every_result_says_so(folders, capsys):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    assert run_grade(submissions, out, "--trust-submissions") == 0
    (row,) = read_csv(out / "grades.csv")
    assert (row["points"], row["boxed"]) == ("4", "NO (trusted)")
    assert "without a box" in (out / "feedback" / f"{file_name('ana')}.html").read_text()


@pytest.mark.timeout(120 + 120 * KILLS)
def test_a_killed_grader_leaves_no_process_and_no_half_file_and_is_taken_up(box, folders, tmp_path):
    submissions, whole = folders
    for number in range(SUBMISSIONS):
        hand_in(submissions, f"learner{number}", make_notebook(f"x = {number}", SOLVED_PREDICTIONS))
    fresh = tmp_path / "fresh"
    shutil.copytree(whole, fresh)
    started = time.monotonic()
    assert start_grade(submissions, whole).wait(timeout=300) == 0
    seconds = time.monotonic() - started
    rng, others = random.Random(0), find_processes()  # such as a client that another test keeps
    done = []  # results at each kill
    for moment in range(KILLS):
        out = tmp_path / f"out{moment}"
        shutil.copytree(fresh, out)
        process = start_grade(submissions, out)
        time.sleep(rng.uniform(0.2, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert wait_until_none(lambda: find_processes() - others, seconds=60) == set()
        done.append([json.loads(path.read_text()) for path in (out / "results").glob("*/*.json")])
        assert start_grade(submissions, out).wait(timeout=300) == 0, out.with_suffix(".log").read_text()
        assert (out / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()
        assert wait_until_none(lambda: find_processes() - others, seconds=60) == set()
    print(f"{SUBMISSIONS} submissions in {seconds:.0f} s; results there at the kills: {sorted(map(len, done))}")


def start_grade(submissions: Path, out: Path) -> subprocess.Popen:
    code = (
        "import sys; from tests.grading.test_batch import run_grade; from pathlib import Path\n"
        "if __name__ == '__main__': sys.exit(run_grade(*map(Path, sys.argv[1:3]), '--workers', '2'))"
    )
    script = out / "start.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}\n")
    with open(out.with_suffix(".log"), "w") as log:
        return subprocess.Popen([sys.executable, str(script), str(submissions), str(out)], stdout=log, stderr=log)


def test_without_a_box_the_search_that_finds_nothing_in_it_finds_the_others(box, folders):
    # What the hostile suite shows to fail would succeed: its attacks are real.
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook("'a-canary-of-ana'", SOLVED_PREDICTIONS))
    kinds = dict(hostile_notebooks("token", 1, [str(submissions), str(out / "lab")], "a-canary-of-ana"))
    hand_in(submissions, "thief", kinds["search for other submissions"])
    assert run_grade(submissions, out) == 0
    assert "'found " not in {row["learner"]: row["reasons"] for row in read_csv(out / "grades.csv")}["thief"]
    assert run_grade(submissions, out, "--trust-submissions") == 0
    assert "'found " in {row["learner"]: row["reasons"] for row in read_csv(out / "grades.csv")}["thief"]
