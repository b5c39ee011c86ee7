"""The files of parameters against the lessons: only names that a lesson has, and the sample is what learners open."""

import ast
from pathlib import Path

import pytest

from tlcourse.lessons import read_lesson
from tlcourse.parameters import check_parameters, read_params

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted((NOTEBOOKS / "src").glob("*.py"))


def read_defaults(source: Path) -> dict:
    (cell,) = [cell for cell in read_lesson(source).cells if "parameters" in cell.tags]
    return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(cell.source).body}


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("params", sorted((NOTEBOOKS / "params").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_parameter_is_one_of_the_lesson(params, source):
    notebook = NOTEBOOKS / "en" / f"{source.stem}_pytorch.ipynb"
    given = read_params(params, notebook)
    assert set(given) <= set(read_defaults(source))
    assert check_parameters(notebook, given) == given


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_the_committed_outputs_come_from_the_values_that_a_learner_sees(source):
    given = read_params(NOTEBOOKS / "params/sample.yaml", NOTEBOOKS / "en" / f"{source.stem}_pytorch.ipynb")
    defaults = read_defaults(source)
    assert {name: defaults[name] for name in given} == given
