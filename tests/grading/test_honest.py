"""Honest notebooks, as people and machines really make them: none loses a point through no fault of its own."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.grading.test_grade import codes, points
from tests.grading.tiny_lab import SOLVED_FUNCTION, SOLVED_PREDICTIONS, make_notebook
from tlgrade import functions, notebook_client
from tlgrade.client import _answer, _State
from tlgrade.grade_one import grade
from tlgrade.launch import waited_for_processor
from tlgrade.mounts import BoxError
from tlgrade.reasons import explain
from tlgrade.run_submission import ClientProcess
from tlgrade.settings import BoxSettings
from tlgrade.submissions import clean_notebook, parse_notebook


def edited(content: bytes, change) -> bytes:
    node = json.loads(content)
    change(node)
    return json.dumps(node).encode()


@pytest.mark.parametrize("encode", [
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.replace(b"\n", b"\r\n"),
    lambda content: content.decode().encode("utf-16"),
    lambda content: content.replace(b"import numpy as np", rb"import numpy as np  # \ud83d", 1),
], ids=["byte order mark", "line ends of Windows", "UTF-16", "half a character"])  # fmt: skip
def test_what_editors_do_to_a_file_costs_nothing(lab, make_settings, client, encode):
    assert points(grade(encode(make_notebook(SOLVED_PREDICTIONS)), lab, make_settings(), client)) == {
        "balance": 1, "final": 3,
    }  # fmt: skip


FUNCTIONS = {
    "an import of another cell": (["from collections import Counter"], """
def class_balance(labels, num_classes):
    counts = Counter(labels.tolist())
    return [counts[k] for k in range(num_classes)]"""),
    "a helper and a constant": (["START = 0", "def count(labels, k):\n    return START + sum(labels == k)"],
        "def class_balance(labels, num_classes):\n    return [int(count(labels, k)) for k in range(num_classes)]"),
    "all of a module": (["from math import *"], """
def class_balance(labels, num_classes):
    return [int(floor(sum(labels == k))) for k in range(num_classes)]"""),
    "numbers that are floats": ([], "def class_balance(labels, n):\n    return np.bincount(labels, minlength=n) * 1.0"),
    "a tuple": ([], "def class_balance(labels, n):\n    return tuple(np.bincount(labels, minlength=n))"),
    "a tensor": (["import torch"], """
def class_balance(labels, n):
    return torch.bincount(torch.as_tensor(labels), minlength=n)"""),
    "the course's own function": (["from tlhelpers import metrics"], """
def class_balance(labels, n):
    assert metrics.wilson_interval
    return np.bincount(labels, minlength=n)"""),
}  # fmt: skip


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_right_function_has_its_points_with_what_the_notebook_gives_it(lab, make_settings, client, kind):
    cells, function = FUNCTIONS[kind]
    if "torch" in str(cells):
        pytest.importorskip("torch")
    result = grade(make_notebook(*cells, function=function), lab, make_settings(), client)
    assert points(result)["balance"] == 1, result["tasks"]


def test_a_name_that_no_cell_defines_is_named(lab, make_settings, client):
    function = "def class_balance(labels, num_classes):\n    return bincounted[:num_classes]"
    result = grade(make_notebook("bincounted = [n for n in range(9)]", function=function), lab, make_settings(), client)
    (task, _) = result["tasks"]
    assert explain(task["code"], task["values"], "en").endswith("and raised NameError: bincounted in another")


def test_half_of_the_cases_are_half_of_the_points(lab, make_settings, client):
    # Right wherever each class has an image.
    function = "def class_balance(labels, num_classes):\n    return np.unique(labels, return_counts=True)[1]"
    result = grade(make_notebook(function=function), lab, make_settings(), client)
    assert points(result)["balance"] == 0.5
    assert codes(result)["balance"] == "wrong"


def test_of_a_copied_cell_the_last_counts_and_it_is_said(lab, make_settings, client):
    def copy(node):
        node["cells"].append(json.loads(json.dumps(node["cells"][0])))
        node["cells"][0]["source"] = "def class_balance(labels, num_classes):\n    raise NotImplementedError"

    result = grade(edited(make_notebook(), copy), lab, make_settings(), client)
    assert points(result)["balance"] == 1
    assert result["copies"] == ["balance"]


@pytest.mark.parametrize("change", [
    lambda text: f"{text} + '\\n\\n'",
    lambda text: f"'\\ufeff' + {text}",
    lambda text: f"{text}.replace('\\n', '\\r\\n')",
], ids=["blank lines", "byte order mark", "line ends of Windows"])  # fmt: skip
def test_what_editors_do_to_predictions_costs_nothing(lab, make_settings, client, change):
    more = f"p = out + '/predictions.csv'\ntext = open(p).read()\nopen(p, 'w', newline='').write({change('text')})"
    result = grade(make_notebook(SOLVED_PREDICTIONS, more), lab, make_settings(), client)
    assert points(result)["final"] == 3, result["tasks"]


def test_thousands_of_cells_that_print_nothing_are_not_too_much_output(lab, make_settings, client):
    cells = ["x = 1"] * 1500
    result = grade(
        make_notebook(*cells, SOLVED_PREDICTIONS), lab, make_settings(wall=120, output_bytes=1 << 20), client
    )
    assert (result["outcome"], points(result)["final"]) == ("finished", 3)


def test_outputs_and_metadata_are_dropped_before_anything_reads_them(lab, make_settings, client):
    def clutter(node):
        deep = {}
        for _ in range(400):
            deep = {"deep": deep}
        node["metadata"]["widgets"] = deep
        node["cells"][0]["outputs"] = [{"output_type": "nothing that exists", "x": [1] * 100}] * 2000
        node["cells"][0]["metadata"]["strange"] = deep

    content = edited(make_notebook(SOLVED_PREDICTIONS), clutter)
    assert len(clean_notebook(parse_notebook(content))) < 5000
    assert grade(content, lab, make_settings(), client)["points"] == 4


def test_a_full_disk_of_the_grader_is_nobodys_zero(lab, make_settings, monkeypatch, tmp_path):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    (tmp_path / "notebook.ipynb").write_bytes(clean_notebook(parse_notebook(make_notebook(SOLVED_PREDICTIONS))))
    job = {
        "notebook": str(tmp_path / "notebook.ipynb"), "settings": make_settings().to_json(), "framework": "neutral",
        "files": ["predictions.csv"], "folder": str(tmp_path),
    }  # fmt: skip
    monkeypatch.setattr(notebook_client, "_take", full)
    state = _State()
    answer = _answer(job, state, lambda: None)
    state.close_servers()
    assert "No space left" in answer["box_error"]


def test_a_kernel_that_ends_before_the_first_cell_is_nobodys_zero(lab, make_settings):
    few = BoxSettings.from_json({**make_settings(processes=2).to_json(), "fork": False})
    client = ClientProcess()
    try:
        with pytest.raises(BoxError):
            grade(make_notebook(SOLVED_PREDICTIONS), lab, few, client)
    finally:
        client.close()


def test_seconds_in_which_others_had_the_processor_are_counted_as_waiting():
    core = {min(os.sched_getaffinity(0))}
    busy = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {core})\nwhile True: pass"]
    processes = [subprocess.Popen(busy) for _ in range(3)]
    try:
        time.sleep(2)
        before = waited_for_processor(processes[0].pid)
        time.sleep(3)
        assert waited_for_processor(processes[0].pid) - before > 1  # two of three seconds, where nobody else works
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert waited_for_processor(processes[0].pid) == 0  # it is gone


def test_the_reference_accepts_its_own_answers_in_any_form(lab):
    task = {"id": "defects", "cases": "find_defects", "points": 1, "function": "find_defects"}
    cases = functions.make_cases(task, "0" * 32)
    right = [functions.lab_scoring.reference("find_defects", case["arguments"]) for case in cases]
    notebook = parse_notebook(make_notebook(function=SOLVED_FUNCTION))
    for order in (list, lambda found: found[::-1]):
        answers = [{"value": order(found)} for found in right]
        assert functions.compare(answers, task, cases, notebook)[:2] == (1.0, "full")
    assert any(right)
