"""One submission: what it is given, and what the reason says."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from tests.grading.tiny_lab import SOLVED_FUNCTION, SOLVED_PREDICTIONS, make_notebook
from tlgrade.artefacts import Refusal, moved_weights
from tlgrade.grade_one import Score, _cap, grade
from tlgrade.reasons import LANGUAGES, OUTCOMES, REASONS, explain


def points(result: dict) -> dict[str, float]:
    return {task["id"]: task["points"] for task in result["tasks"]}


def codes(result: dict) -> dict[str, str]:
    return {task["id"]: task["code"] for task in result["tasks"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_solved_notebook_has_all_points(lab, make_settings, client, language):
    result = grade(make_notebook(SOLVED_PREDICTIONS, language=language), lab, make_settings(), client)
    assert points(result) == {"balance": 1, "final": 3}
    assert (result["points"], result["of"], result["outcome"]) == (4, 4, "finished")
    assert (result["language"], result["boxed"]) == (language, True)


def test_an_error_in_a_cell_costs_only_what_depends_on_it(lab, make_settings, client):
    result = grade(make_notebook("1 / 0", SOLVED_PREDICTIONS), lab, make_settings(), client)
    assert result["points"] == 4
    assert result["failed_cells"] == [1]


def test_predictions_that_are_a_little_right_have_some_points(lab, make_settings, client):
    # Birman is taken for a Beagle: three breeds of four are right.
    worse = SOLVED_PREDICTIONS.replace("int(image[0, 0, 0]) + step", "(0, 1, 1, 3)[image[0, 0, 0]] + step")
    result = grade(make_notebook(worse), lab, make_settings(), client)
    assert points(result) == {"balance": 1, "final": 1}
    task = result["tasks"][1]
    assert explain(task["code"], task["values"], "en") == "reached 75.0 %; the next points start at 90.0 %"


@pytest.mark.parametrize(
    ("function", "code"),
    [
        ("def class_balance(labels, num_classes):\n    return [0] * num_classes", "wrong"),
        ("def class_balance(labels, num_classes):\n    while True: pass", "slow"),
        ("def class_balance(labels, num_classes):\n    return {1, 2}", "wrong"),
        ("raise SystemExit", "cell_error"),
        ("import os; os._exit(0)", "no_answer"),
        ("def another(): pass", "no_function"),
        ("def class_balance(labels, num_classes):\n    return float('nan')", "wrong"),
    ],
)
def test_a_function_that_is_not_right_has_no_points(lab, make_settings, client, function, code):
    result = grade(make_notebook(function=function), lab, make_settings(function_wall=2), client)
    assert points(result)["balance"] == 0
    assert codes(result)["balance"] == code


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (lambda w: w + 0.01, ["0.layer4.weight"]),
        (lambda w: w, []),
        (lambda w: w * (1 + 1e-7), []),  # rounding
        (lambda w: w * 1e6, []),  # no training does that
        (lambda w: w * np.nan, []),
        (lambda w: w[:-1], []),
        (lambda w: w.astype(np.int64), []),
    ],
)
def test_weights_that_training_moved_are_told_from_others(change, moved):
    old = np.linspace(-1, 1, 100, dtype=np.float32)
    new = np.asarray(change(old))
    content = save({"0.layer4.weight.before": old, "0.layer4.weight.after": new.astype(new.dtype)})
    assert moved_weights(content) == moved
    assert moved_weights(content[: len(content) // 2]) is None
    assert moved_weights(b"no safetensors") is None


FINE_TUNE = {
    "id": "tuned", "title": {"en": "Tuned", "es": "Ajustada"}, "points": 4, "kind": "predictions",
    "file": "predictions.csv", "measure": "top1", "steps": {"drawn_pets_breeds": [[0.5, 4]]}, "moved": "m.safetensors",
    "at_most_below": {"final": 0.1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "reached", "code", "points"),
    [(True, 0.9, "full", 4), (False, 0.9, "not_moved", 2), (True, 0.7, "forgot", 2), (True, 0.3, "below", 0)],
)
def test_a_hand_in_that_does_not_show_its_task_gets_half_at_most(file, reached, code, points):
    weights = np.linspace(-1, 1, 10, dtype=np.float32)
    found = {"m.safetensors": save({"a.before": weights, "a.after": weights + 0.01}) if file else Refusal("x", {})}
    own = Score(float(4 * (reached > 0.5)), "full" if reached > 0.5 else "below", {}, reached)
    capped = _cap(own, FINE_TUNE, {"final": Score(3, "full", {}, 0.9)}, found)
    assert (capped.code, capped.points) == (code, points)
    explain(capped.code, {"reached": 0.1, "bound": 0.5, **capped.values}, "es")


def test_magics_in_a_function_cell_are_no_errors(lab, make_settings, client):
    result = grade(make_notebook(function=f"%matplotlib inline\n{SOLVED_FUNCTION}"), lab, make_settings(), client)
    assert points(result)["balance"] == 1


def test_a_deleted_cell_is_named(lab, make_settings, client):
    result = grade(make_notebook(SOLVED_PREDICTIONS, function=None), lab, make_settings(), client)
    assert points(result) == {"balance": 0, "final": 3}
    assert codes(result)["balance"] == "missing_cell"


@pytest.mark.parametrize("content", [b"", b"not json", b"[1, 2]", b'{"cells": 3}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_notebook_has_no_points_and_a_reason(lab, make_settings, client, content):
    result = grade(content, lab, make_settings(), client)
    assert result["points"] == 0
    assert set(codes(result).values()) == {"no_notebook"}


def test_json_with_cells_that_no_notebook_has_is_refused(lab, make_settings, client):
    content = json.dumps({"cells": [{"cell_type": "code"}, 3], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    result = grade(content.encode(), lab, make_settings(), client)
    assert result["points"] == 0
    assert codes(result)["final"] in ("no_notebook", "missing_file")


def test_an_absent_notebook_has_a_reason(lab, make_settings, client):
    result = grade(Refusal("absent", {}), lab, make_settings(), client)
    assert result["points"] == 0
    assert explain("absent", {}, "es") == "no hay ningún cuaderno en la entrega"


def test_the_same_submission_has_the_same_result(lab, make_settings, client):
    content = make_notebook(SOLVED_PREDICTIONS)
    first, second = (grade(content, lab, make_settings(), client) for _ in range(2))
    assert {**first, "measured": 0} == {**second, "measured": 0}


def test_every_reason_is_told_in_both_languages():
    for texts in (*REASONS.values(), *OUTCOMES.values()):
        assert len(texts) == len(LANGUAGES)
        assert len(set(texts)) == len(texts)
