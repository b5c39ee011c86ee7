"""Scores: what they are for right, wrong and hostile predictions, and for what functions return."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlgrade import scoring
from tlhelpers.lab.predictions import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
BREEDS = [f"breed {k}" for k in range(6)]
CLASSES = {"breeds": BREEDS, "species": ["cat", "dog"] * 3}
ROUNDING = 1e-12
DEFINITION = scoring.read_definition(ROOT / "lab" / "pets.yaml")


@st.composite
def predictions(draw):
    """Rows of any three different breeds, and labels."""
    n = draw(st.integers(1, 30))
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    labels = {f"{i:016x}": int(rng.integers(len(BREEDS))) for i in range(n)}
    rows = []
    for name in labels:
        three = [BREEDS[k] for k in rng.permutation(len(BREEDS))[:3]]
        species = ("cat", "dog", "")[rng.integers(3)]
        rows.append(dict(zip(COLUMNS, (name, *three, species), strict=True)))
    return rows, labels


def right_row(name, label):
    return {"id": name, "first": BREEDS[label], "second": BREEDS[label - 1], "third": BREEDS[label - 2],
            "species": CLASSES["species"][label]}  # fmt: skip


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_scores_are_fractions_and_do_not_depend_on_the_order_of_rows(case):
    rows, labels = case
    for measure in scoring.MEASURES:
        estimate = scoring.score_predictions(rows, labels, CLASSES, measure)
        assert 0 <= estimate.value <= 1
        assert 0 <= estimate.low <= estimate.value + ROUNDING
        assert estimate.value - ROUNDING <= estimate.high <= 1
        assert scoring.score_predictions(rows[::-1], labels, CLASSES, measure).value == pytest.approx(estimate.value)
    top1, top3 = (scoring.score_predictions(rows, labels, CLASSES, m).value for m in ("top1", "top3"))
    assert top1 <= top3
    assert top1 == pytest.approx(np.mean([BREEDS[labels[row["id"]]] == row["first"] for row in rows]))


@given(predictions())
@settings(max_examples=30, deadline=None)
def test_right_answers_score_one_and_setting_one_right_never_lowers_a_score(case):
    rows, labels = case
    perfect = [right_row(name, label) for name, label in labels.items()]
    better = [right_row(rows[0]["id"], labels[rows[0]["id"]]), *rows[1:]]
    for measure in scoring.MEASURES:
        assert scoring.score_predictions(perfect, labels, CLASSES, measure).value == 1
        before = scoring.score_predictions(rows, labels, CLASSES, measure).value
        assert scoring.score_predictions(better, labels, CLASSES, measure).value >= before


def test_macro_gives_a_rare_breed_the_weight_of_a_frequent_one():
    labels = {f"{i}": 0 for i in range(9)} | {"rare": 1}
    rows = [right_row(name, 0) for name in labels]  # breed 0 for all
    assert scoring.score_predictions(rows, labels, CLASSES, "top1").value == pytest.approx(0.9)
    assert scoring.score_predictions(rows, labels, CLASSES, "macro").value == pytest.approx(0.5)


def test_an_empty_species_is_wrong():
    rows = [right_row("a", 0) | {"species": ""}, right_row("b", 1)]
    assert scoring.score_predictions(rows, {"a": 0, "b": 1}, CLASSES, "species").value == 0.5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[1:], "no row for 1 of 3 images"),
        (lambda rows: [*rows, rows[0]], "more than one row for 1 images"),
        (lambda rows: [{**rows[0], "id": "f" * 16}, *rows[1:]], "ids that no image has (1)"),
        (lambda rows: [{**rows[0], "first": "bread 1"}, *rows[1:]], "did you mean 'breed 1'?"),
        (lambda rows: [{**rows[0], "second": "nan"}, *rows[1:]], "such as 'nan'"),
        (lambda rows: [{**rows[0], "third": rows[0]["first"]}, *rows[1:]], "name three different ones"),
        (lambda rows: [{**rows[0], "species": "fish"}, *rows[1:]], "came 'fish'"),
        (lambda rows: [{**rows[0], "first": "=cmd|' /C calc'!A0" * 99}, *rows[1:]], "=cmd|"),
        (lambda rows: [], "no row for 3 of 3 images"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused_with_a_reason(change, says):
    labels = {"0" * 16: 0, "1" * 16: 1, "2" * 16: 2}
    rows = change([right_row(name, label) for name, label in labels.items()])
    with pytest.raises(scoring.PredictionsError) as caught:
        scoring.score_predictions(rows, labels, CLASSES, "top1")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400
    assert all(problem.es != problem.en for problem in caught.value.problems)


@pytest.mark.parametrize(
    "text",
    ["", "id,first\n", "id,first,second,third,species\na,b,c\n", "\x00\x00", "<html>", '"', "first,id,third,species\n"],
)
def test_text_that_is_no_table_of_predictions_is_refused(text):
    with pytest.raises(scoring.PredictionsError):
        scoring.parse_predictions(text, 10)


def test_rows_survive_the_way_through_the_file():
    row = right_row("a", 0)
    text = ",".join(COLUMNS) + "\r\n" + ",".join(row.values()) + "\r\n"
    assert scoring.parse_predictions("\ufeff" + text, 1) == [row]


def test_points_are_those_of_the_highest_step_reached():
    task = {"id": "x", "steps": {"drawn_pets_breeds": [[0.5, 1], [0.8, 3]]}}
    reached = [scoring.points_for(task, "drawn_pets_breeds", value) for value in (0.0, 0.4999, 0.5, 0.79, 0.8, 1.0)]
    assert reached == [0, 0, 1, 1, 3, 3]
    with pytest.raises(scoring.LabError, match="expected steps for 'cats'"):
        scoring.points_for(task, "cats", 1.0)


@pytest.mark.parametrize("name", scoring.CASES)
def test_cases_are_json_differ_with_the_seed_and_their_answers_equal_themselves(name):
    cases = scoring.make_cases(name, np.random.default_rng(1))
    assert json.loads(json.dumps(cases, allow_nan=False)) == cases
    assert cases != scoring.make_cases(name, np.random.default_rng(2))
    for case in cases:
        answer = scoring.reference(name, case["arguments"])
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
        assert scoring.equal_json(answer, answer)
        assert not scoring.equal_json(None, answer)


@pytest.mark.parametrize("seed", range(20))
def test_the_most_confused_pair_of_a_case_is_only_one(seed):
    for case in scoring.make_cases("most_confused", np.random.default_rng(seed)):
        labels, predicted, _ = case["arguments"]
        pairs = [(a, b) for a, b in zip(labels, predicted, strict=True) if a != b]
        counts = sorted((pairs.count(pair) for pair in set(pairs)), reverse=True)
        assert len(counts) == 1 or counts[0] > counts[1]


@pytest.mark.parametrize(
    ("came", "expected", "equal"),
    [
        (1.0000001, 1.0, True),
        (1, 1.0, True),
        (True, 1, False),
        (1, True, False),
        (float("nan"), float("nan"), False),
        (float("inf"), 1.0, False),
        (10**400, 1.0, False),
        ("1", 1, False),
        ([1, 2], [1, 2, 3], False),
        ([1, [2, None]], [1, [2, None]], True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, [["a", 1]], False),
        ([], {}, False),
        (0, None, False),
    ],
)
def test_json_is_equal_only_where_it_means_the_same(came, expected, equal):
    assert scoring.equal_json(came, expected) is equal


def test_the_definition_is_whole_and_a_broken_one_is_refused(tmp_path):
    assert sum(task["points"] for task in DEFINITION["tasks"]) == 20
    text = (ROOT / "lab" / "pets.yaml").read_text(encoding="utf-8")
    for old, new, says in (
        ("measure: top1", "measure: top9", "a measure among"),
        ("cases: find_defects", "cases: find_defect", "expected cases among"),
        ("id: defects", "id: balance", "came one twice"),
        ("[0.20, 1], [0.35, 2]", "[0.35, 1], [0.20, 2]", "expected rising steps"),
        ("    measure: top1\n", "", "came one without: 'measure'"),
        ("datasets:", "data_sets:", "came one without: 'datasets'"),
    ):
        broken = tmp_path / "pets.yaml"
        broken.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(scoring.LabError, match=says):
            scoring.read_definition(broken)
