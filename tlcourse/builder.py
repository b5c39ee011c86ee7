"""Builds a lesson's four notebooks from its one source (see `tlcourse.lessons` for the form of a source).

Building twice gives the same bytes: cell ids come from the cells' content, keys are sorted, and what changes from run
to run (time stamps, widget state, memory addresses) is left out. Outputs of an existing notebook are kept as long
as neither their cell nor any code cell before it has changed.
"""

import copy
import hashlib
import re
from collections import Counter
from pathlib import Path

from tlcourse.black_boxes import check_black_boxes
from tlcourse.course_map import Outline, map_table, next_line, read_course
from tlcourse.first_cell import INSTALL_TAG, first_cell
from tlcourse.lessons import Lesson, read_lesson
from tlcourse.notebook_files import read_notebook, text_of, write_notebook
from tlcourse.outputs import keep_valid_outputs
from tlcourse.sentences import SETUP_TAG, setup_code, spanish_parameters
from tlcourse.source_cells import FOLDED_TAG, PARAMETERS_TAG, SOLUTION_TAG, SourceCell
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS, LANGUAGES

MAP = "{map}"  # in prose: a table of the other lessons
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}


def notebook_path(out_folder: Path, lesson: str, language: str, framework: str) -> Path:
    """Where the notebook of this lesson, language and framework lies."""
    return Path(out_folder) / language / f"{lesson}_{framework}.ipynb"


def notebook_paths(out_folder: Path, lesson: str) -> list[Path]:
    """The four notebooks of a lesson, English before Spanish, PyTorch before TensorFlow."""
    return [
        notebook_path(out_folder, lesson, language, framework) for language in LANGUAGES for framework in FRAMEWORKS
    ]


def build(source: Path, out_folder: Path, keep_outputs: bool = True) -> list[Path]:
    """Writes the four notebooks of one lesson.

    Args:
        source: The lesson's source, `NN_topic.py`.
        out_folder: The folder that holds, or gets, the folders `en` and `es`.
        keep_outputs: Keep the outputs of an existing notebook where they still belong to the code.

    Returns:
        The notebooks' paths, English before Spanish, PyTorch before TensorFlow.

    Raises:
        LessonError: The source is refused. No notebook is written or changed then.
    """
    built = _build_all(read_lesson(source), out_folder)
    for path, notebook in built.items():
        if keep_outputs and path.exists():
            keep_valid_outputs(notebook, read_notebook(path))
        write_notebook(path, notebook)
    return list(built)


def check(sources: list[Path], out_folder: Path, whole: bool = True) -> list[str]:
    """Compares the notebooks that stand with those that the sources give.

    Args:
        sources: The lessons' sources.
        out_folder: The folder that holds `en` and `es`.
        whole: `sources` are all lessons, so that a notebook of no source among them is reported too.

    Returns:
        The differences, one readable line each; outputs are not compared. Empty when all is well.

    Raises:
        LessonError: A source is refused.
    """
    expected: dict[Path, dict] = {}
    for source in sources:
        expected.update(_build_all(read_lesson(source), out_folder))
    differences = []
    for path, notebook in expected.items():
        differences += [f"{path}: {problem}" for problem in _differences(notebook, path)]
    if whole:
        present = {path for language in LANGUAGES for path in Path(out_folder, language).glob("*.ipynb")}
        differences += [f"{path}: no source gives this notebook" for path in sorted(present - set(expected))]
    return differences


def make_notebook(lesson: Lesson, language: str, framework: str, course: list[Outline]) -> dict:
    """The notebook of one language and framework, without outputs, as `json` writes it.

    Args:
        lesson: The lesson.
        language: `en` or `es`.
        framework: `pytorch` or `tensorflow`.
        course: The outlines of all lessons, for the map and the link to the next.
    """
    seen: Counter[str] = Counter()
    cells = []
    for cell in lesson.cells:
        if not cell.belongs_to(language, framework):
            continue
        text = _fill_in(cell, language, framework)
        if PARAMETERS_TAG in cell.tags and language == "es" and lesson.sentences:
            text = spanish_parameters(lesson.sentences.path, lesson.sentences.parameters, text)
        if MAP in text and cell.kind == "markdown":
            text = text.replace(MAP, map_table(lesson.name, course, language, framework))
        if cell.kind == "code" and not any(built["cell_type"] == "code" for built in cells):
            cells.append(_folded(INSTALL_TAG, cell.line, seen, first_cell(language, framework)))
        cells.append(_make_cell(cell, _cell_id(cell, seen), text))
        if PARAMETERS_TAG in cell.tags and lesson.sentences:
            setup = setup_code(lesson.sentences, language, framework, lesson.parameters)
            cells.append(_folded(SETUP_TAG, cell.line, seen, setup))
    if after := next_line(lesson.name, course, language, framework):
        last = SourceCell("markdown", "next", 0)
        cells.append(_make_cell(last, _cell_id(last, seen), after))
    about = {"framework": framework, "language": language, "lesson": lesson.name}
    return {
        "cells": cells,
        "metadata": copy.deepcopy(NOTEBOOK_METADATA) | {"tlhelpers": about},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _build_all(lesson: Lesson, out_folder: Path) -> dict[Path, dict]:
    course = read_course(lesson.path.parent)
    check_black_boxes(lesson, course)
    return {
        notebook_path(out_folder, lesson.name, language, framework): make_notebook(lesson, language, framework, course)
        for language in LANGUAGES
        for framework in FRAMEWORKS
    }


def _make_cell(cell: SourceCell, cell_id: str, text: str) -> dict:
    built = {
        "cell_type": cell.kind,
        "id": cell_id,
        "metadata": _metadata(cell),
        "source": text.splitlines(keepends=True),
    }
    return built | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})


def _folded(tag: str, line: int, seen: Counter[str], text: str) -> dict:
    """A cell that the builder writes."""
    cell = SourceCell("code", tag, line, metadata={"tags": [FOLDED_TAG, tag]})
    return _make_cell(cell, _cell_id(cell, seen), text)


def _metadata(cell: SourceCell) -> dict:
    """A cell's metadata; a solution starts folded, also what it prints, so that learners meet the exercise first."""
    hidden = {"source_hidden": True, "outputs_hidden": True} if SOLUTION_TAG in cell.tags else {"source_hidden": True}
    if cell.kind == "code" and {SOLUTION_TAG, FOLDED_TAG} & set(cell.tags):
        return cell.metadata | {"jupyter": hidden | cell.metadata.get("jupyter", {})}
    return cell.metadata


def _cell_id(cell: SourceCell, seen: Counter[str]) -> str:
    """From the source before anything is filled in, so that a shared cell has one id in all four notebooks."""
    shown = " ".join(tool.name for tool in cell.tools)
    text = "\n".join(filter(None, (cell.kind, shown, cell.source))) if shown else f"{cell.kind}\n{cell.source}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _fill_in(cell: SourceCell, language: str, framework: str) -> str:
    if cell.kind == "markdown":
        names = {"{framework}": framework, "{Framework}": FRAMEWORK_NAMES[framework], "{language}": language}
        return re.sub("|".join(map(re.escape, names)), lambda match: names[match[0]], cell.source)
    if PARAMETERS_TAG in cell.tags:
        return _set_constant("LANGUAGE", language, cell.source)
    return cell.text if cell.framework or cell.tools else _set_constant("FRAMEWORK", framework, cell.source)


def _set_constant(name: str, value: str, source: str) -> str:
    return re.sub(rf"""^({name}\s*=\s*)(["'])\w*\2""", rf'\1"{value}"', source, flags=re.MULTILINE)


def _differences(expected: dict, path: Path) -> list[str]:
    if not path.exists():
        return ["is not there"]
    found = read_notebook(path)
    wanted, came = expected["metadata"], found["metadata"]
    problems = [
        f"metadata {key!r} differ" for key in sorted(set(wanted) | set(came)) if wanted.get(key) != came.get(key)
    ]
    if len(found["cells"]) != len(expected["cells"]):
        problems.append(f"has {len(found['cells'])} cells, the source gives {len(expected['cells'])}")
    for number, (cell, other) in enumerate(zip(expected["cells"], found["cells"], strict=False), 1):
        wrong = [key for key in ("cell_type", "id", "metadata") if cell[key] != other.get(key)]
        wrong += ["source"] * (text_of(cell) != text_of(other))
        if wrong:
            first = next(iter(text_of(cell).splitlines()), "")
            problems.append(f"cell {number} ({first[:60]!r}): {', '.join(wrong)} differ")
            break  # one cell put in or taken out makes all that follow differ
    return problems
