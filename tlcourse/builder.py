"""Builds a lesson's four notebooks from its one source (see `tlcourse.lessons` for the form of a source).

Building twice gives the same bytes: cell ids come from the cells' content, keys are sorted, and what changes from run
to run (time stamps, widget state, memory addresses) is left out. Outputs of an existing notebook are kept as long
as neither their cell nor any code cell before it has changed.
"""

import copy
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

from tlcourse.black_boxes import check_black_boxes
from tlcourse.course_map import Outline, map_table, next_line, read_course
from tlcourse.lessons import (
    FOLDED_TAG,
    FRAMEWORK_NAMES,
    FRAMEWORKS,
    LANGUAGES,
    PARAMETERS_TAG,
    SOLUTION_TAG,
    Lesson,
    SourceCell,
    read_lesson,
    strip_magics,
)
from tlcourse.records import claim_of
from tlcourse.sentences import read_setup, setup_code, strings_in
from tlhelpers.claims import CLAIM_MIME, claim_output
from tlhelpers.errors import LessonError
from tlhelpers.paths import atomic_path

SETUP_TAG = "setup"  # of the cell with a lesson's words and claims, the same in every notebook
MAP = "{map}"  # in prose: a table of the other lessons
INJECTED_TAG = "injected-parameters"  # papermill's mark for the cell that it puts in
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
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
            keep_valid_outputs(notebook, _read(path))
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
        if MAP in text and cell.kind == "markdown":
            text = text.replace(MAP, _name(map_table(lesson.name, course, language, framework), language, framework))
        cells.append(_make_cell(cell, _cell_id(cell, seen), text))
        if PARAMETERS_TAG in cell.tags and lesson.sentences:
            setup = SourceCell("code", SETUP_TAG, cell.line, metadata={"tags": [FOLDED_TAG, SETUP_TAG]})
            text = setup_code(lesson.sentences, language, framework, lesson.parameters)
            cells.append(_make_cell(setup, _cell_id(setup, seen), text))
    if after := next_line(lesson.name, course, language, framework):
        last = SourceCell("markdown", "next", 0)
        cells.append(_make_cell(last, _cell_id(last, seen), _name(after, language, framework)))
    about = {"framework": framework, "language": language, "lesson": lesson.name}
    return {
        "cells": cells,
        "metadata": copy.deepcopy(NOTEBOOK_METADATA) | {"tlhelpers": about},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write_notebook(path: Path, notebook: dict) -> None:
    """Writes a notebook with sorted keys and indent 1, beside its place, then renames it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if path.exists() and path.read_bytes() == text.encode("utf-8"):
        return  # an unchanged file keeps its time stamp, so that editors do not ask to reload it
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def keep_valid_outputs(notebook: dict, old: dict) -> None:
    """Takes over the outputs of `old`, up to the first code cell that differs: what comes after it may be stale.

    A cell differs too where a word that it names has changed. A claim whose sentence or bound has changed keeps its
    number and is said anew. Solutions are kept without outputs.
    """
    before = [cell for cell in _code_cells(old) if INJECTED_TAG not in _tags(cell)]
    changed, claims = set(), {}
    for cell, previous in zip(_code_cells(notebook), before, strict=False):
        if SETUP_TAG in _tags(cell) and SETUP_TAG in _tags(previous):
            (words, claims), (old_words, _) = read_setup(_text(cell)), read_setup(_text(previous))
            changed = {name for name in words if words[name] != old_words.get(name)}
        elif _text(cell) != _text(previous) or (changed and changed & set(strings_in(strip_magics(_text(cell))))):
            break
        kept = [] if SOLUTION_TAG in _tags(cell) else clean_outputs(previous["outputs"])
        cell["outputs"] = [_say_anew(output, claims) for output in kept]
        cell["execution_count"] = previous["execution_count"]


def adopt_run(path: Path, executed: Path) -> None:
    """Writes the outputs of an executed copy into the built notebook, as if it had been run from its first cell."""
    notebook = _read(path)
    keep_valid_outputs(notebook, _read(executed))
    cells = [cell for cell in _code_cells(notebook) if cell["execution_count"] is not None]
    for count, cell in enumerate(cells, 1):  # the injected parameters had taken a number
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = count
    write_notebook(path, notebook)


def clean_outputs(outputs: list[dict]) -> list[dict]:
    """Outputs as they go into git: no live widgets, no overwritten progress bars, no memory addresses."""
    cleaned = []
    for output in copy.deepcopy(outputs):
        if output["output_type"] == "stream":
            output["text"] = _overwrite(_join(output["text"])).splitlines(keepends=True)
            if not output["text"]:
                continue
        data = output.get("data", {})
        if WIDGET_VIEW in data:
            # Its state is in no cell, and the text beside it is the widget before anything happened.
            del data[WIDGET_VIEW]
            data.pop("text/plain", None)
            if not data:
                continue
        if "text/plain" in data:
            data["text/plain"] = _no_address(_join(data["text/plain"])).splitlines(keepends=True)
        cleaned.append(output)
    return cleaned


def _say_anew(output: dict, claims: dict[str, dict]) -> dict:
    """An output; that of a claim with the sentence, bound and unit that it has now."""
    record = output.get("data", {}).get(CLAIM_MIME)
    if record is None or record["name"] not in claims:
        return output
    now = {"at_least": None, "at_most": None} | claims[record["name"]]
    if all(record[key] == value for key, value in now.items()):
        return output
    said = claim_output(claim_of(record | now))
    said["text/plain"] = said["text/plain"].splitlines(keepends=True)
    return output | {"data": said}


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
        return _name(cell.source, language, framework)
    if PARAMETERS_TAG in cell.tags:
        return _set_constant("LANGUAGE", language, cell.source)
    return cell.text if cell.framework or cell.tools else _set_constant("FRAMEWORK", framework, cell.source)


def _name(text: str, language: str, framework: str) -> str:
    names = {"{framework}": framework, "{Framework}": FRAMEWORK_NAMES[framework], "{language}": language}
    return re.sub("|".join(map(re.escape, names)), lambda match: names[match[0]], text)


def _set_constant(name: str, value: str, source: str) -> str:
    return re.sub(rf"""^({name}\s*=\s*)(["'])\w*\2""", rf'\1"{value}"', source, flags=re.MULTILINE)


def _differences(expected: dict, path: Path) -> list[str]:
    if not path.exists():
        return ["is not there"]
    found = _read(path)
    wanted, came = expected["metadata"], found["metadata"]
    problems = [
        f"metadata {key!r} differ" for key in sorted(set(wanted) | set(came)) if wanted.get(key) != came.get(key)
    ]
    if len(found["cells"]) != len(expected["cells"]):
        problems.append(f"has {len(found['cells'])} cells, the source gives {len(expected['cells'])}")
    for number, (cell, other) in enumerate(zip(expected["cells"], found["cells"], strict=False), 1):
        wrong = [key for key in ("cell_type", "id", "metadata") if cell[key] != other.get(key)]
        wrong += ["source"] * (_text(cell) != _text(other))
        if wrong:
            first = next(iter(_text(cell).splitlines()), "")
            problems.append(f"cell {number} ({first[:60]!r}): {', '.join(wrong)} differ")
            break  # one cell put in or taken out makes all that follow differ
    return problems


def _read(path: Path) -> dict:
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list):
            return notebook
        problem = "it has no cells"
    except ValueError as error:  # not JSON, as after a merge with conflicts, or not UTF-8
        problem = str(error)
    raise LessonError(f"{path}: expected a notebook, came something else: {problem}. Delete it and build again.")


def _code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def _join(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _text(cell: dict) -> str:
    return _join(cell["source"])


def _overwrite(text: str) -> str:
    """What a terminal shows in the end: a carriage return goes back to the beginning of the line."""
    return re.sub(r"^.*\r(?!\n)", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)


def _no_address(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
