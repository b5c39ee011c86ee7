"""Attacks and defects, graded as one batch: no point gained, nothing touched, nothing left, a reason for each."""

import functools
import json
import os
import re
import secrets
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.grading.hostile import CELLS, FOUND_NOTHING, FUNCTIONS, STARTED_OR_FORKED, hostile_notebooks
from tests.grading.processes import find_processes, wait_until_none
from tests.grading.test_batch import hand_in, read_csv, run_grade
from tests.grading.tiny_lab import SOLVED_PREDICTIONS, make_notebook, write_lab
from tlgrade.feedback import file_name
from tlgrade.mounts import GRADER, PACKAGE
from tlgrade.run_submission import ClientProcess, run_submission
from tlgrade.settings import BoxSettings, limits_from
from tlgrade.submissions import parse_notebook

OTHERS = ["deleted cells", "edited checks", "forged outputs", "no JSON", "JSON of another kind", "nested JSON",
          "another kernel", "deep metadata", "a million outputs", "cells of no kind", "a version of its own",
          "a hundred thousand cells", "UTF-32"]  # fmt: skip
# What cannot be shown to succeed without a box here: there is no network beyond this machine.
NOT_SHOWN = {"external network"}
KINDS = {"forked": [*CELLS, *FUNCTIONS, *OTHERS], "cold": STARTED_OR_FORKED}  # by how kernels start
WALL = 12  # seconds a notebook; honest ones need one, and several on a machine that is busy
LIMITS = ["--wall", str(WALL), "--memory", "700", "--processes", "96", "--output", "16", "--workers", "2"]


class Graded:
    """What the batch left."""

    def __init__(self, root: Path, start: str):
        self.root, self.out, self.token = root, root / "out", f"token-{secrets.token_hex(6)}"
        self.kinds = KINDS[start]
        self.canary = f"canary-{secrets.token_hex(6)}"
        self.connections: list[bytes] = []
        submissions = root / "submissions"
        submissions.mkdir()
        write_lab(self.out / "lab")
        hand_in(submissions, "honest", make_notebook(f"'{self.canary}'", SOLVED_PREDICTIONS))
        folders = [GRADER, PACKAGE, root, submissions, self.out, submissions / "honest"]
        places = [*map(str, folders), os.getcwd()]
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            port = server.getsockname()[1]
            for kind, content in hostile_notebooks(self.token, port, [*places, str(self.out / "lab")], self.canary):
                if kind in self.kinds:
                    hand_in(submissions, kind, content)
            self.before = self.snapshot()
            self.others = find_processes()  # such as a client that another test keeps
            started = time.monotonic()
            self.code = run_grade(submissions, self.out, *LIMITS, *(["--no-fork"] if start == "cold" else []))
            self.seconds = time.monotonic() - started
        self.places = [*places, "/tmp", "/", "/root", "/home", "/dev/shm", "/var/tmp"]
        results = [json.loads(path.read_text()) for path in (self.out / "results").glob("*/*.json")]
        self.forked = [result["measured"]["forked"] for result in results if result["outcome"] == "finished"]
        self.rows = {row["learner"]: row for row in read_csv(self.out / "grades.csv")}

    def _accept(self, server: socket.socket) -> None:
        try:
            while True:
                self.connections.append(server.accept()[0].recv(100))
        except OSError:
            return

    def snapshot(self) -> dict[str, bytes]:
        watched = [self.root / "submissions", self.out / "lab", GRADER]
        return {
            str(path): path.read_bytes() for folder in watched for path in folder.rglob("*.[!p]*") if path.is_file()
        }


@pytest.fixture(scope="module")
def grade_once(box, tmp_path_factory):
    """Grades the batch whose kernels start in a way, when it is first asked for, and remembers what it left."""
    return functools.cache(lambda start: Graded(tmp_path_factory.mktemp(start), start))


@pytest.fixture(params=KINDS)
def graded(request, grade_once) -> Graded:
    return grade_once(request.param)


def each(*kinds: str):
    """Runs a test for each of these kinds, once for each way that their kernels were started."""
    pairs = [(start, kind) for start, wanted in KINDS.items() for kind in wanted if not kinds or kind in kinds]
    return pytest.mark.parametrize(("graded", "kind"), pairs, indirect=["graded"])


def test_there_are_enough_kinds():
    for kinds in KINDS.values():
        assert len(kinds) >= (80 if "symlink" in kinds else 20)
        assert len(set(kinds)) == len(kinds)
    assert set(KINDS["cold"]) < set(KINDS["forked"])


def test_the_batch_completes_in_bounded_time(graded):
    assert graded.code == 0
    assert set(graded.rows) == {"honest", *graded.kinds}
    assert graded.seconds < len(graded.kinds) * (WALL + 30) / 2


@each()
def test_an_attack_gains_no_point_and_has_a_reason(graded, kind):
    row = graded.rows[kind]
    assert row["points"] == "0"
    assert row["reasons"]


@pytest.mark.parametrize("kind", [kind for kind in FOUND_NOTHING if kind not in NOT_SHOWN])
def test_without_a_box_the_same_attack_succeeds(lab, tmp_path, kind):
    # Else it would prove nothing that it fails in one.
    folder = write_lab(tmp_path / "out" / "lab")
    with socket.create_server(("127.0.0.1", 0)) as server:
        places = [str(tmp_path)]
        made = hostile_notebooks("token", server.getsockname()[1], places, "a-canary-of-ana")
        notebook = parse_notebook(dict(made)[kind])
        (tmp_path / "ana.ipynb").write_text("a-canary-of-ana")
        settings = BoxSettings(limits=limits_from(wall=60), lab_data=str(folder / "data"), boxed=False)
        client = ClientProcess()
        try:
            run, _ = run_submission(client, notebook, [], settings)
        finally:
            client.close()
    assert (run["outcome"], run["failed"]) == ("finished", [])


def test_no_page_and_no_table_says_what_a_notebook_made_up(graded):
    told = "".join(path.read_text() for path in [*graded.out.glob("*.csv"), *graded.out.glob("feedback/*")])
    assert "Secret_" not in told
    assert "secret_" not in told
    assert "secret [" in told or "secret 0" in told or "cold" in graded.root.name  # a dozen characters, and no more
    assert not re.search(r"secret [0-9\[\], ]{7}", told)


def test_kernels_were_started_as_asked(graded, request):
    asked = "forked" in request.node.callspec.id
    assert graded.forked
    assert all(forked == asked for forked in graded.forked)


@each(*FOUND_NOTHING)
def test_an_attack_came_to_nothing_where_it_should(graded, kind):
    # The cell's last line needs what the attack was to gain, so the cell fails.
    page = (graded.out / "feedback" / f"{file_name(kind)}.html").read_text()
    assert "Cells that raised an error, counted from 1: 1." in page


def test_an_honest_notebook_among_them_keeps_its_points(graded):
    assert graded.rows["honest"]["points"] == "4"


def test_no_file_outside_was_touched(graded):
    assert graded.snapshot() == graded.before
    for place in graded.places:
        assert not [name for name in os.listdir(place) if graded.token in name]


def test_no_process_is_left(graded):
    assert wait_until_none(lambda: find_processes(graded.token, "/box/") - graded.others, seconds=5) == set()


def test_nobody_was_reached_over_the_network(graded):
    assert graded.connections == []


def test_what_a_learner_wrote_is_only_text_in_reports(grade_once):
    graded = grade_once("forked")
    assert "<script" not in (graded.out / "feedback" / f"{file_name('script')}.html").read_text()
    text = (graded.out / "grades.csv").read_text()
    assert graded.canary not in text
    assert not [line for line in text.splitlines() if line.startswith(("=", "+", "@"))]
