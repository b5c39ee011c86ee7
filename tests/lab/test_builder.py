"""The lab's builder: learners' notebooks byte for byte, no solution in them, and a refusal where a mark is wrong."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tlcourse import cli, lab_builder
from tlcourse.errors import LessonError

GOLDEN = Path(__file__).parent / "golden"
NAMES = [
    f"{language}/pets_lab_{framework}.ipynb" for language in ("en", "es") for framework in ("pytorch", "tensorflow")
]
INTO_NBGRADER = {  # role: (grade, solution, locked)
    "solution": (False, True, False),
    "check": (True, False, True),
    "by_hand": (True, True, False),
}


@pytest.fixture
def lab(tmp_path):
    shutil.copytree(GOLDEN / "src", tmp_path / "lab" / "src")
    shutil.copy(GOLDEN / "pets.yaml", tmp_path / "lab")
    return tmp_path / "lab"


def edit(lab, old, new):
    source = lab / "src" / "pets_lab.py"
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new, 1), encoding="utf-8")


def text_of(notebook):
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"])


def test_learners_notebooks_and_solutions_are_the_golden_ones_byte_for_byte(lab, tmp_path):
    built = lab_builder.build(lab, tmp_path / "solutions")
    assert [str(path.relative_to(lab)) for path in built[:4]] == NAMES
    assert [str(path.relative_to(tmp_path / "solutions")) for path in built[4:]] == NAMES
    for name in NAMES:
        assert (lab / name).read_bytes() == (GOLDEN / name).read_bytes()
    solution = NAMES[3]
    assert (tmp_path / "solutions" / solution).read_bytes() == (GOLDEN / "solutions" / solution).read_bytes()
    for path in built:
        nbformat.validate(nbformat.read(path, as_version=4))


def test_building_again_changes_nothing_and_a_changed_notebook_is_told(lab):
    before = {path: path.read_bytes() for path in lab_builder.build(lab)}
    assert {path: path.read_bytes() for path in lab_builder.build(lab)} == before
    assert lab_builder.check(lab) == []
    changed = lab / NAMES[1]
    changed.write_text(changed.read_text(encoding="utf-8").replace("class_balance(labels", "class_balance(label"))
    (lab / NAMES[2]).unlink()
    (lab / "es" / "other.ipynb").write_text("{}")
    assert lab_builder.check(lab) == [
        f"{changed}: differs from what its source gives",
        f"{lab / NAMES[2]}: is not there",
        f"{lab / 'es' / 'other.ipynb'}: no source gives this notebook",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("        ### END SOLUTION\n", "", "expected ### END SOLUTION after ### BEGIN SOLUTION, came none"),
        ("        ### BEGIN SOLUTION\n", "", "expected ### BEGIN SOLUTION first, came ### END SOLUTION"),
        ("        # a longer", "        ### BEGIN SOLUTION", "(line 4 has begun a solution)"),
        (' tags=["solution:count"]', "", "in cells tagged solution: or by_hand: and in no others"),
        ("assert guess.isupper()", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "in no others"),
        ("check:count", "check:counts", "expected one cell check: for each task of pets.yaml"),
        ("# %% tags=[\"check:guess\", \"keep\"]\nassert guess.isupper()\n", "", "guess"),
        ("    for label in labels:", "    if True:\n        pass\n    ### BEGIN SOLUTION\n    else:\n        pass\n"
         "    ### END SOLUTION\n    for label in labels:", None),
        ("### BEGIN SOLUTION\nguess = name.upper()\n### END SOLUTION",
         "guess = [\n### BEGIN SOLUTION\nname.upper()\n### END SOLUTION\n]",
         "expected code that is whole without its solution too"),
        ("### BEGIN SOLUTION\n# Porque", "# Porque", "expected ### BEGIN SOLUTION first"),
    ],
)  # fmt: skip
def test_wrong_marks_are_refused_and_nothing_is_written(lab, old, new, says):
    edit(lab, old, new)
    if says is None:  # odd, and still whole
        lab_builder.build(lab)
        return
    with pytest.raises(LessonError) as caught:
        lab_builder.build(lab)
    assert says in str(caught.value)
    assert str(lab / "src" / "pets_lab.py") in str(caught.value)
    assert sorted(path.name for path in lab.iterdir()) == ["pets.yaml", "src"]


def test_the_stub_takes_the_indentation_of_the_solution():
    source = "for i in x:\n    ### BEGIN SOLUTION\n    a = 1\n    ### END SOLUTION\n    b = 2"
    assert lab_builder.cut_solution(source, "pass") == "for i in x:\n    pass\n    b = 2"


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_the_real_notebooks_hold_tasks_checks_and_points_and_no_solution(notebooks, language, framework):
    from tlgrade.scoring import read_definition

    definition = read_definition(lab_builder.find_lab() / "pets.yaml")
    solved, student = (notebooks[is_solved][language, framework] for is_solved in (True, False))
    assert "SOLUTION" in text_of(solved)
    assert "SOLUTION" not in text_of(student)
    assert [cell["id"] for cell in solved["cells"]] == [cell["id"] for cell in student["cells"]]
    points = {task["id"]: task["points"] for task in [*definition["tasks"], *definition["by_hand"]]}
    marked = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in student["cells"] if "nbgrader" in cell["metadata"]
    }
    for name in points:
        role = "by_hand" if name in {task["id"] for task in definition["by_hand"]} else "check"
        metadata = marked[name if role == "by_hand" else f"check_{name}"]["metadata"]["nbgrader"]
        assert metadata["points"] == points[name]
        assert (metadata["grade"], metadata["solution"], metadata["locked"]) == INTO_NBGRADER[role]
    cut = [text_of({"cells": [cell]}) for name, cell in marked.items() if name in points and cell["cell_type"] == "code"
           and not name.startswith("check_")]  # fmt: skip
    assert len(cut) == 12
    begin = {"en": "Task ", "es": "La tarea "}[language]
    assert all(f'raise NotImplementedError("{begin}' in source for source in cut)
    written = {"en": "*Write your answer here.*", "es": "*Escriba aquí su respuesta.*"}[language]
    assert text_of(student).count(written) == len(definition["by_hand"])


def test_the_committed_notebooks_follow_their_source(capsys):
    assert cli.main(["lab", "build", "--check"]) == 0
    assert "as their source gives them" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_each_task_has_three_hints_which_lead_to_a_lesson_and_to_the_glossary(notebooks, language, framework):
    cells = notebooks[False][language, framework]["cells"]
    steps = {"en": ("Hint 1", "Hint 2", "Hint 3"), "es": ("Pista 1", "Pista 2", "Pista 3")}[language]
    folder, glossary = lab_builder.find_lab() / language, {"en": "glossary.md#", "es": "glosario.md#"}[language]
    solved = 0
    for place, cell in enumerate(cells):
        marked = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] != "code" or not marked.get("solution"):
            continue
        text = "".join("".join(other["source"]) for other in cells[max(0, place - 2) : place])
        folds = re.findall(r"<details><summary>(.*?): .*?</summary>\n\n(.*?)\n\n</details>", text, re.S)
        assert tuple(title for title, _ in folds) == steps, marked["grade_id"]
        assert "```python" in folds[2][1]
        assert glossary in folds[0][1]
        lessons = re.findall(r"\]\((\S+\.ipynb)\)", folds[0][1])
        assert lessons
        assert all((folder / path).is_file() for path in lessons)
        anchors = re.findall(rf"{re.escape(glossary)}([^)]+)", folds[0][1])
        words = (folder / "../../docs" / glossary.removesuffix("#")).read_text(encoding="utf-8")
        headings = {line[4:].lower().replace(" ", "-") for line in words.splitlines() if line.startswith("### ")}
        assert set(anchors) <= headings
        solved += 1
    assert solved == 12


def test_the_lab_says_which_epoch_is_kept(notebooks):
    for (language, _), notebook in notebooks[False].items():
        assert {"en": "Which weights are kept?", "es": "¿Qué pesos se conservan?"}[language] in text_of(notebook)


def test_the_bar_in_the_prose_is_the_one_of_the_definition(notebooks):
    from tlgrade.scoring import read_definition

    (bonus,) = read_definition(lab_builder.find_lab() / "pets.yaml")["bonus"]
    for (language, _), notebook in notebooks[False].items():
        for ((bar, points),) in bonus["steps"].values():
            assert points == 2
            assert f"{100 * bar:.0f} %" in text_of(notebook).split({"en": "**Bonus", "es": "**Extra"}[language])[1]


def test_functions_of_the_solution_need_nothing_but_numpy_and_are_right(notebooks):
    """As the grader calls them: the cell's source alone, arguments and answers through JSON."""
    import numpy as np

    from tlgrade.scoring import equal_json, make_cases, read_definition, reference

    solved = notebooks[True]["es", "pytorch"]
    for task in read_definition(lab_builder.find_lab() / "pets.yaml")["tasks"]:
        if task["kind"] != "function":
            continue
        (source,) = ["".join(cell["source"]) for cell in solved["cells"]
                     if cell["metadata"].get("nbgrader", {}).get("grade_id") == task["id"]]  # fmt: skip
        names = {"np": np}
        exec(compile(source, task["id"], "exec"), names)
        for case in make_cases(task["cases"], np.random.default_rng(5)):
            came = names[task["function"]](*json.loads(json.dumps(case["arguments"])))
            came = came.tolist() if isinstance(came, np.ndarray) else came
            assert equal_json(json.loads(json.dumps(came)), reference(task["cases"], case["arguments"])), task["id"]


def test_nbgrader_takes_the_solution_notebooks(tmp_path):
    pytest.importorskip("nbgrader", reason="needs nbgrader: uv pip install --no-deps -r benchmarks/peers.txt")
    import os
    import shutil as files
    import subprocess
    import sys

    files.copytree(lab_builder.find_lab() / "src", tmp_path / "lab" / "src")
    files.copy(lab_builder.find_lab() / "pets.yaml", tmp_path / "lab")
    lab_builder.build(tmp_path / "lab", tmp_path / "solutions")
    source = tmp_path / "course" / "source" / "pets"
    source.mkdir(parents=True)
    for path in (tmp_path / "solutions").glob("*/*.ipynb"):
        files.copy(path, source / f"{path.parent.name}_{path.name}")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # for alembic
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "pets", "--create"]
    done = subprocess.run(command, cwd=tmp_path / "course", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    released = sorted((tmp_path / "course" / "release" / "pets").glob("*.ipynb"))
    assert len(released) == 4
    for path in released:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert "SOLUTION" not in text_of(notebook)
        marked = [cell["metadata"]["nbgrader"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
        assert sum(metadata.get("points", 0) for metadata in marked) == 23
