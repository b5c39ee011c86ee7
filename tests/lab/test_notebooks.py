"""The lab as learners and graders meet it, in real kernels: the unsolved notebooks fail where they should, the
solutions reach what the definition asks for.
"""

import importlib.util
import json
import os

import nbformat
import pytest

from tlcourse import lab_builder, runner
from tlcourse.commands.run import MODULES
from tlgrade.lab_data import write_lab_data
from tlgrade.scoring import parse_predictions, points_for, read_definition, score_predictions

LAB = lab_builder.find_lab()
DEFINITION = read_definition(LAB / "pets.yaml")
SECRET = f"{2**90 + 11:032x}"
FOUR = [(language, framework) for language in ("en", "es") for framework in ("pytorch", "tensorflow")]


def need(framework):
    if importlib.util.find_spec(MODULES[framework]) is None:
        pytest.skip(f"needs {MODULES[framework]}")


def first_failure(notebook, tmp_path, box, monkeypatch):
    """Runs a notebook as "Run all" does; the source of the cell that failed, and the last line that it shows."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    monkeypatch.setenv("TLHELPERS_LAB_DATA", str(box[0]))
    monkeypatch.setenv("TLHELPERS_LAB_OUT", str(tmp_path))
    node = nbformat.reads(json.dumps(notebook), as_version=4)
    client = NotebookClient(node, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(CellExecutionError) as caught:
        client.execute()
    failed = [cell for cell in node.cells if any(out.output_type == "error" for out in cell.get("outputs", ()))]
    return failed[0].source, f"{caught.value.ename}: {caught.value.evalue}"


def put_solution(notebook, solved, names):
    """The learner's notebook in which these tasks are solved."""
    notebook = json.loads(json.dumps(notebook))
    for cell, other in zip(notebook["cells"], solved["cells"], strict=True):
        if cell["metadata"].get("nbgrader", {}).get("grade_id") in names:
            cell["source"] = other["source"]
    return notebook


@pytest.mark.parametrize(("language", "framework"), FOUR)
def test_an_untouched_notebook_fails_first_at_the_first_task_and_says_so(
    notebooks, box, tmp_path, monkeypatch, language, framework
):
    need(framework)
    source, message = first_failure(notebooks[False][language, framework], tmp_path, box, monkeypatch)
    assert source == "checks.check_balance(data, class_balance)"
    title = DEFINITION["tasks"][0]["title"][language]
    begin, end = {
        "en": ("Task 1", "is not solved yet: put your code in the place of this line and run the cell again."),
        "es": (
            "La tarea 1",
            "aún no está resuelta: ponga su código en lugar de esta línea y ejecute de nuevo la celda.",
        ),
    }[language]
    assert message == f"NotImplementedError: {begin} ({title}) {end}"


def test_with_a_task_solved_the_next_one_fails(notebooks, box, tmp_path, monkeypatch):
    need("pytorch")
    student, solved = (notebooks[is_solved]["en", "pytorch"] for is_solved in (False, True))
    half = put_solution(student, solved, {"balance"})
    assert "Task 1 (Find the defects)" in first_failure(half, tmp_path, box, monkeypatch)[1]
    half = put_solution(student, solved, {"balance", "defects"})
    source, message = first_failure(half, tmp_path, box, monkeypatch)
    assert "raise NotImplementedError" in source
    assert "Task 2 (A network from scratch)" in message


def test_a_wrong_solution_shows_the_checks_words_and_no_traceback(notebooks, box, tmp_path, monkeypatch):
    need("pytorch")
    student, solved = (notebooks[is_solved]["es", "pytorch"] for is_solved in (False, True))
    wrong = put_solution(student, solved, {"balance"})
    for cell in wrong["cells"]:
        cell["source"] = [line.replace(", minlength=num_classes", "") for line in cell["source"]]
    source, message = first_failure(wrong, tmp_path, box, monkeypatch)
    assert source == "checks.check_balance(data, class_balance)"
    assert message.startswith("CheckFailedError: ✗ class_balance([0, 0, 2], 4) dio [2, 0, 1]. La clase 3 no")


def run_solution(language, framework, dataset, tmp_path, monkeypatch, image_size, **parameters):
    """Runs a solution notebook as the grader does; what each task reaches, by its id."""
    folder = tmp_path / "box"
    labels = write_lab_data(folder, tmp_path / "labels.json", dataset, key=SECRET, image_size=image_size)
    lab_builder.build(copy_lab(tmp_path), tmp_path / "solutions")
    monkeypatch.setenv("TLHELPERS_LAB_DATA", str(folder))
    monkeypatch.setenv("TLHELPERS_LAB_OUT", str(tmp_path / "out"))
    done = runner.run(
        tmp_path / "solutions" / language / f"pets_lab_{framework}.ipynb",
        tmp_path / "done.ipynb",
        parameters={"DATASET": dataset, "IMAGE_SIZE": image_size, **parameters},
        progress=False,
    )
    classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    reached = {}
    for task in [*DEFINITION["tasks"], *DEFINITION["bonus"]]:
        if task["kind"] == "predictions":
            rows = parse_predictions((tmp_path / "out" / task["file"]).read_text(encoding="utf-8"), len(labels))
            reached[task["id"]] = score_predictions(rows, labels, classes, task["measure"]).value
    print({name: round(value, 3) for name, value in reached.items()}, f"{done.seconds:.0f} s")
    return reached


def copy_lab(tmp_path):
    import shutil

    shutil.copytree(LAB / "src", tmp_path / "lab" / "src")
    shutil.copy(LAB / "pets.yaml", tmp_path / "lab")
    return tmp_path / "lab"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("language", "framework"), FOUR)
def test_a_solution_gets_full_points_on_drawn_pets(cache, tmp_path, monkeypatch, language, framework):
    need(framework)
    reached = run_solution(language, framework, "drawn_pets_breeds", tmp_path, monkeypatch, 64)
    points = {
        task["id"]: points_for(task, "drawn_pets_breeds", reached[task["id"]])
        for task in DEFINITION["tasks"]
        if task["kind"] == "predictions"
    }
    assert points == {task["id"]: task["points"] for task in DEFINITION["tasks"] if task["kind"] == "predictions"}
    assert reached["features"] > reached["baseline"] + 0.1


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("language", "framework"), [("es", "pytorch"), ("en", "tensorflow")])
def test_a_solution_on_real_photos_of_the_official_test(tmp_path, monkeypatch, cache, language, framework):
    need(framework)
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos in TLHELPERS_DATA")
    reached = run_solution(
        language,
        framework,
        "oxford_pets_breeds",
        tmp_path,
        monkeypatch,
        224,
        BACKBONE="efficientnet_lite0",
        FINE_TUNE_EPOCHS=1,
    )
    assert reached["final"] >= 0.82
    assert reached["final_top3"] >= 0.95
