"""Artefacts, results and reports, without a box."""

import csv
import dataclasses
import json
import os
import tempfile
from pathlib import Path

import pytest

from tests.grading.tiny_lab import write_lab
from tlgrade import artefacts, gradebooks
from tlgrade.artefacts import Refusal
from tlgrade.batch import grade_batch, run_windows
from tlgrade.class_report import ClassReport
from tlgrade.feedback import file_name, render
from tlgrade.grade_one import score_predictions
from tlgrade.lab import find_definition, open_lab, prepare_lab
from tlgrade.scoring import split_in_halves
from tlgrade.settings import BoxSettings, limits_from
from tlgrade.store import ResultStore, result_key
from tlgrade.submissions import find_submissions, read_submission
from tlhelpers.errors import DataNotFoundError, ParameterError, TlhelpersError, UnknownNameError
from tlhelpers.lab.predictions import COLUMNS


@pytest.fixture
def result(lab) -> dict:
    task = {"bonus": False, "code": "full", "values": {}, "reached": None}
    return {
        "lab": "tiny", "points": 3.5, "of": 4.0, "bonus": 0.0, "outcome": "finished", "failed_cells": [2], "wall": 5.0,
        "boxed": True, "language": "es", "framework": None, "copies": [],
        "files": {"p.csv": "a digest"}, "breeds": {"Beagle": [1, 4], "Boxer": [4, 4]},
        "tasks": [
            {**task, "id": "balance", "points": 1.0, "of": 1},
            {**task, "id": "final", "points": 2.5, "of": 3, "code": "below", "reached": 0.7,
             "values": {"reached": 0.7, "bound": 0.9}},
        ],
        "measured": {"run": 1.0, "all": 2.0, "forked": False},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "|cmd", "\n=1"])
def test_no_cell_is_a_formula(name):
    assert gradebooks.plain(name).startswith("'")


def test_an_ordinary_name_stays_as_it_is():
    assert gradebooks.plain("Ana María O'Neill-Ruiz") == "Ana María O'Neill-Ruiz"


def test_feedback_escapes_all_that_is_not_ours(lab, result):
    result["tasks"][1] |= {"code": "predictions", "values": {"file": "p.csv", "en": "<b>", "es": "<img src=x>{}"}}
    page = render(lab, "<script>alert(1)</script>", result, "es")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img src=x&gt;{}" in page


def test_feedback_tells_points_reasons_and_cells(lab, result):
    page = render(lab, "ana", result, "es")
    assert "2.5 de 3" in page
    assert "Se alcanzó 70.0 %; los siguientes puntos empiezan en 90.0 %." in page
    assert "contadas desde 1: 3." in page


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden", "x" * 300, "ñ", "a\x00b", "a\udcff", ""])
def test_a_page_stays_in_its_folder(name):
    made = file_name(name)
    assert "/" not in made
    assert not made.startswith(".")
    assert 0 < len(made) < 100


def test_two_learners_never_share_a_page():
    pages = [file_name(name) for name in ("a/b", "a_b", "a b", "A_b", "a_b-c8687a08")]
    assert len(set(pages)) == len(pages)


def test_the_class_report_names_the_hardest_breed_first(lab, result, tmp_path):
    report = ClassReport(lab)
    report.add(result)
    report.add({**result, "points": 1.0, "boxed": False})
    report.add(None)
    report.write(tmp_path / "class.html", "en")
    page = (tmp_path / "class.html").read_text()
    assert "2 submissions graded, 1 not graded" in page
    assert page.index("Beagle") < page.index("Boxer")
    assert "1 graded without a box" in page


def test_an_empty_class_has_a_report(lab, tmp_path):
    report = ClassReport(lab)
    report.add(None)
    report.write(tmp_path / "class.html", "es")
    assert "1 sin calificar" in (tmp_path / "class.html").read_text()


def test_the_leaderboard_gives_equals_one_place(lab, result, tmp_path):
    other = {**result, "tasks": [{**result["tasks"][1], "reached": 0.9}]}
    none = {**result, "tasks": [result["tasks"][0]]}
    graded = [("a", result), ("b", other), ("c", result), ("d", none), ("e", None)]
    gradebooks.write_leaderboard(tmp_path / "board.csv", lab, graded)
    assert (tmp_path / "board.csv").read_text() == "place,learner,reached\n1,b,0.900\n2,a,0.700\n2,c,0.700\n"


def test_a_lost_result_is_no_zero(lab, tmp_path):
    gradebooks.write_grades(tmp_path / "grades.csv", lab, [("ana", None)], "en")
    assert (tmp_path / "grades.csv").read_text().splitlines()[1].startswith("ana,,,")


def test_artefacts_that_are_no_plain_file_are_refused(tmp_path):
    (tmp_path / "plain").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert artefacts.take(folder, "plain", 100) == b"x" * 100
        codes = {name: artefacts.take(folder, name, 99).code for name in ("plain", "link", "folder", "fifo", "none")}
    finally:
        os.close(folder)
    assert codes == {
        "plain": "too_large", "link": "not_regular", "folder": "not_regular", "fifo": "not_regular",
        "none": "missing_file",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b"{", b"[" * 100_000, b"\xff"])
def test_json_is_json(content):
    with pytest.raises(ValueError):  # noqa: PT011  (each has a text of its own)
        artefacts.read_json(content)


def test_the_key_depends_on_all_that_a_result_depends_on(lab):
    settings = BoxSettings(limits=limits_from(wall=5))
    keys = {
        result_key(b"a", lab.digest, settings),
        result_key(b"b", lab.digest, settings),
        result_key(b"a", "another lab", settings),
        result_key(b"a", lab.digest, BoxSettings(limits=limits_from(wall=6))),
        result_key(b"a", lab.digest, BoxSettings(limits=limits_from(wall=5), boxed=False)),
        result_key(Refusal("absent", {}), lab.digest, settings),
    }
    assert len(keys) == 6
    assert result_key(b"a", lab.digest, settings) in keys


def test_other_weights_of_the_same_size_are_another_key(tmp_path):
    keys = set()
    for number in range(2):
        folder = tmp_path / str(number) / "weights"
        folder.mkdir(parents=True)
        (folder / "net.safetensors").write_bytes(bytes([number]) * 1000)
        keys.add(result_key(b"a", "lab", BoxSettings(weights=str(folder))))
    assert len(keys) == 2


def test_one_model_for_all_tasks_is_something_for_a_person_to_look_at(lab, result, tmp_path):
    first, second = result["tasks"]
    lab = dataclasses.replace(lab, tasks=(*lab.tasks, {**lab.tasks[1], "id": "scratch", "below": "final"}))
    tasks = [first, second, {**second, "id": "scratch", "reached": 0.7}]
    alike = {**result, "tasks": tasks, "files": {"p.csv": "a digest", "q.csv": "a digest"}}
    honest = {**result, "tasks": [first, second, {**tasks[2], "reached": 0.3}], "files": {"p.csv": "a", "q.csv": "b"}}
    gradebooks.write_grades(tmp_path / "grades.csv", lab, [("ana", alike), ("bo", honest)], "en")
    with open(tmp_path / "grades.csv", newline="") as file:
        looked = {row["learner"]: row["look_at"] for row in csv.DictReader(file)}
    assert looked["bo"] == ""
    assert "p.csv, q.csv" in looked["ana"]
    assert "scratch" in looked["ana"]


def test_what_is_told_comes_from_one_half_and_points_from_the_other(lab):
    told, counted = split_in_halves(lab.labels)
    assert told.keys() | counted.keys() == lab.labels.keys()
    assert not told.keys() & counted.keys()
    task = next(task for task in lab.tasks if task["kind"] == "predictions")
    breeds, lines = lab.classes["breeds"], [",".join(COLUMNS)]
    for name, label in lab.labels.items():
        right = label if name in told else label + 1  # right in the half that is told, and nowhere else
        lines.append(",".join((name, *(breeds[(right + step) % 4] for step in range(3)), "")))
    score = score_predictions("\n".join(lines).encode(), task, lab)
    assert (score.points, score.reached, score.values["reached"]) == (0, 0, 1)


def test_a_broken_result_is_graded_again(tmp_path):
    store = ResultStore(tmp_path)
    store.write("ab" * 32, {"points": 1})
    assert store.read("ab" * 32) == {"points": 1}
    store.path("ab" * 32).write_text('{"points": ')
    assert store.read("ab" * 32) is None
    assert store.read("cd" * 32) is None


def test_submissions_are_found_by_learner_and_nothing_vanishes(tmp_path):
    files = [
        "ana/a.ipynb", "cy/1.ipynb", "cy/2.ipynb", "flat.IPYNB", "notes.txt", "all.zip", "nb.ipynb.txt", ".hidden",
        "repo/work/lab.ipynb", "repo/work/data.csv", "repo/.git/HEAD.ipynb", "both.ipynb", "both/b.ipynb",
        ".DS_Store", "ana/.ipynb_checkpoints/a-checkpoint.ipynb", "__MACOSX/ana/._a.ipynb",
    ]  # fmt: skip
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "bo").mkdir()
    (tmp_path / "link.ipynb").symlink_to("flat.IPYNB")
    (tmp_path / "folder_link").symlink_to("ana")
    found, left = find_submissions(tmp_path)
    codes = {one.learner: getattr(read_submission(one), "code", "notebook") for one in found}
    assert codes == {
        "ana": "notebook", "bo": "absent", "cy": "several", "flat": "notebook", "link": "not_regular",
        "repo": "notebook", "both": "twice",
    }  # fmt: skip
    assert {entry.path: entry.matters for entry in left} == {
        ".hidden": False, "all.zip": True, "notes.txt": True, "nb.ipynb.txt": True, "folder_link": True,
        "cy/1.ipynb": True, "cy/2.ipynb": True, "repo/work/data.csv": False,
    }  # fmt: skip


@pytest.fixture
def ordinary_user():
    """Root opens every folder: where the tests run as root, what follows is done as nobody in particular."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_folder_that_cannot_be_opened_is_told_and_stops_nothing(ordinary_user):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are root's where the tests run as root
        (Path(folder) / "closed").mkdir(mode=0o311)
        (Path(folder) / "ana.ipynb").write_text("{}")
        (ana, closed), _ = find_submissions(Path(folder))
    assert (ana.learner, ana.refusal, closed.refusal.code) == ("ana", None, "unreadable")


def test_an_empty_or_absent_folder_is_an_error(tmp_path):
    with pytest.raises(DataNotFoundError, match="nothing of the kind"):
        find_submissions(tmp_path)
    with pytest.raises(DataNotFoundError, match="there is none"):
        find_submissions(tmp_path / "none")


def test_a_misspelled_lab_is_answered_with_the_right_one_and_the_working_folder_is_not_asked(monkeypatch, tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/pets.yaml").write_text("name: mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="'pets'"):
        find_definition("pet")
    assert not find_definition("pets").is_relative_to(tmp_path)
    assert find_definition("lab/pets.yaml") == tmp_path / "lab/pets.yaml"


def test_a_short_seed_of_an_older_grading_is_refused(tmp_path):
    folder = write_lab(tmp_path / "lab")
    (folder / "settings.json").write_text('{"dataset": "drawn_pets_breeds", "image_size": 8, "seed": 7}')
    with pytest.raises(ParameterError, match="can be guessed"):
        prepare_lab(folder / "definition.yaml", folder)


def test_results_for_other_images_are_not_mixed(lab_folder):
    definition = lab_folder / "definition.yaml"
    with pytest.raises(ParameterError, match="image_size"):
        prepare_lab(definition, lab_folder, image_size=99)
    assert prepare_lab(definition, lab_folder).labels == open_lab(str(lab_folder)).labels


def test_nobody_else_can_open_the_folder_with_the_labels(lab_folder):
    prepare_lab(lab_folder / "definition.yaml", lab_folder)
    assert lab_folder.stat().st_mode & 0o077 == 0


def test_a_scheduler_that_does_not_answer_is_named(lab_folder, tmp_path):
    (tmp_path / "a.ipynb").write_text("{}")
    (submissions, _), store = find_submissions(tmp_path), ResultStore(tmp_path / "results")
    with pytest.raises(TlhelpersError, match="dask scheduler"):
        grade_batch(submissions, lab_folder, BoxSettings(), store, scheduler="nowhere:1", progress=False)


def _double(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return 2 * number


def test_windows_give_every_answer_and_hold_few_futures():
    distributed = pytest.importorskip("distributed")
    with distributed.Client(processes=False, dashboard_address=None, n_workers=1, threads_per_worker=2) as client:
        held, answers = [], {}
        for first, answer in run_windows(client, _double, ((number,) for number in range(40)), window=5):
            answers[first] = answer
            held.append(len(client.futures))
    assert {first: answer for first, answer in answers.items() if first != 7} == {n: 2 * n for n in range(40) if n != 7}
    assert isinstance(answers[7], ValueError)
    assert max(held) <= 7


def test_reasons_and_results_are_json(lab, result):
    assert json.loads(json.dumps(result)) == result
