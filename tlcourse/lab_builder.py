"""Builds the lab's notebooks from its one source: solutions for those who teach, and from them those for learners.

The source has the form of a lesson (see `tlcourse.lessons`), and three more kinds of cells, marked by a tag:

    # %% tags=["solution:ID"]                          code that learners write: the task ID of the lab's definition
    # %% tags=["check:ID"]                             its visible check; learners should not change it
    # %% [markdown] lang="en" tags=["by_hand:ID"]      a written answer, which a person reads

In a cell `solution:` or `by_hand:`, learners do not get what stands between lines `### BEGIN SOLUTION` and
`### END SOLUTION`. The tags become the metadata of nbgrader (schema 3), which reads the same markers, so
`nbgrader generate_assignment` takes the solution notebooks as they are.
"""

import ast
import copy
import json
import re
from pathlib import Path

import yaml

from tlcourse.black_boxes import check_black_boxes
from tlcourse.builder import make_notebook, notebook_path
from tlcourse.course_map import read_course
from tlcourse.errors import LessonError
from tlcourse.lessons import Lesson, find_notebooks
from tlcourse.notebook_files import write_notebook
from tlcourse.sentences import spanish_parameters
from tlcourse.source_cells import PARAMETERS_TAG, SourceCell, read_cells, strip_magics
from tlcourse.variants import FRAMEWORKS, LANGUAGES
from tlhelpers.errors import DataNotFoundError

NAME = "pets_lab"
DEFINITION = "pets.yaml"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
ROLES = ("solution", "check", "by_hand")
ROLE_TAG = re.compile(rf"({'|'.join(ROLES)}):([a-z0-9_]+)")
UNSOLVED = {
    "en": "Task {number} ({title}) is not solved yet: put your code in the place of this line and run the cell again.",
    "es": "La tarea {number} ({title}) aún no está resuelta: ponga su código en lugar de esta línea y ejecute de nuevo "
    "la celda.",
}
UNWRITTEN = {"en": "*Write your answer here.*", "es": "*Escriba aquí su respuesta.*"}


def find_lab(start: Path | None = None) -> Path:
    """The folder `lab` of the course: above `start` (default: the current folder), else beside the package.

    Raises:
        DataNotFoundError: No such folder, as with a package that was installed without the course.
    """
    start = Path.cwd() if start is None else Path(start).resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parents[1]):
        if (folder / "lab" / DEFINITION).is_file():
            return folder / "lab"
    raise DataNotFoundError(
        f"Expected the folder lab with {DEFINITION} in {start} or above it, and found none. "
        "Go to the folder of the course (the clone of its repository) and try again."
    )


def build(lab: Path, solutions: Path | None = None) -> list[Path]:
    """Writes the learners' notebooks, and the solution notebooks where a folder for them is given.

    Args:
        lab: The folder with `pets.yaml` and `src`, which gets `en` and `es`.
        solutions: The folder that gets the solutions' `en` and `es`.

    Returns:
        The notebooks' paths.

    Raises:
        LessonError: The source is refused. No notebook is written or changed then.
    """
    notebooks = make_notebooks(lab, solved=False)
    if solutions is not None:
        notebooks |= {
            Path(solutions) / path.relative_to(lab): n for path, n in make_notebooks(lab, solved=True).items()
        }
    for path, notebook in notebooks.items():
        write_notebook(path, notebook)
    return list(notebooks)


def check(lab: Path) -> list[str]:
    """The learners' notebooks that are not as the source gives them, one readable line each; empty when all are.

    Raises:
        LessonError: The source is refused.
    """
    differences = []
    expected = make_notebooks(lab, solved=False)
    for path, notebook in expected.items():
        if not path.exists():
            differences.append(f"{path}: is not there")
        elif json.loads(path.read_text(encoding="utf-8")) != notebook:
            differences.append(f"{path}: differs from what its source gives")
    present = {path for language in LANGUAGES for path in Path(lab, language).glob("*.ipynb")}
    return differences + [f"{path}: no source gives this notebook" for path in sorted(present - set(expected))]


def make_notebooks(lab: Path, *, solved: bool) -> dict[Path, dict]:
    """The four notebooks by the path that they have in `lab`; with their solutions, or without.

    Raises:
        LessonError: The source is refused.
    """
    lab = Path(lab)
    lesson = read_source(lab / "src" / f"{NAME}.py")
    definition = _read_definition(lab / DEFINITION)
    _check_tasks(lesson, definition)
    course = read_course(find_notebooks(lab) / "src")
    check_black_boxes(lesson, course)
    notebooks = {}
    for language in LANGUAGES:
        for framework in FRAMEWORKS:
            notebook = make_notebook(lesson, language, framework, course)
            for cell in notebook["cells"]:
                if language == "es" and PARAMETERS_TAG in cell["metadata"].get("tags", []):
                    said = definition.get("parameters", {})
                    text = spanish_parameters(lab / DEFINITION, said, "".join(cell["source"]))
                    cell["source"] = text.splitlines(keepends=True)
                _finish(cell, definition, language, solved)
            notebooks[notebook_path(lab, NAME, language, framework)] = notebook
    return notebooks


def _read_definition(path: Path) -> dict:
    """The lab's tasks; only their ids, titles and points matter here, the grader checks the rest."""
    try:
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        for task in [*definition["tasks"], *definition["by_hand"]]:
            task["id"], task["points"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise LessonError(f"{path}: expected a lab's definition with tasks, came: {error}.") from None
    return definition


def read_source(path: Path) -> Lesson:
    """Reads and checks the lab's source, as `lessons.read_lesson` does with a lesson's, and its solution markers.

    Raises:
        LessonError: The source is refused; the message names file and line, what was expected, and what to do.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LessonError(f"{path}: expected the lab's source, and there is no such file.") from None
    cells = read_cells(path, text)
    for cell in cells:
        _check_markers(path, cell)
    return Lesson(Path(path).stem, Path(path), cells)


def cut_solution(source: str, stub: str) -> str:
    """The source with each solution replaced by a line, indented as the solution was.

    Raises:
        LessonError: Markers that are nested, unclosed or never opened.
    """
    kept, depth, first = [], 0, 0
    for number, line in enumerate(source.splitlines(), 1):
        if line.strip() == BEGIN:
            if depth:
                raise LessonError(f"line {number}: expected {END} (line {first} has begun a solution), came {BEGIN}")
            depth, first = 1, number
            kept.append(line[: len(line) - len(line.lstrip())] + stub)
        elif line.strip() == END:
            if not depth:
                raise LessonError(f"line {number}: expected {BEGIN} first, came {END}")
            depth = 0
        elif not depth:
            kept.append(line)
    if depth:
        raise LessonError(f"line {first}: expected {END} after {BEGIN}, came none")
    return "\n".join(kept)


def role_of(tags: list[str]) -> tuple[str, str] | None:
    """Role and id that a cell's tags give it, such as `("solution", "balance")`; None for an ordinary cell."""
    found = [match.groups() for match in map(ROLE_TAG.fullmatch, tags) if match]
    return found[0] if found else None


def _check_markers(path: Path, cell: SourceCell) -> None:
    role = role_of(cell.tags)
    marked = BEGIN in cell.source or END in cell.source
    try:
        cut = cut_solution(cell.source, "pass")
    except LessonError as error:
        problem = str(error)
    else:
        problem = None
        may_cut = role is not None and role[0] != "check"
        if marked != may_cut:
            problem = f"expected {BEGIN} and {END} in cells tagged solution: or by_hand: and in no others"
        elif cell.kind == "code" and marked:
            try:
                ast.parse(strip_magics(cut))
            except SyntaxError as error:
                problem = f"expected code that is whole without its solution too, came {error.msg}"
    if problem:
        raise LessonError(f"{path}, line {cell.line}: {problem}.")


def _check_tasks(lesson: Lesson, definition: dict) -> None:
    """Every task has its cells, and every cell its task: else a point could not be earned, or would not count."""
    tasks, by_hand = {task["id"] for task in definition["tasks"]}, {task["id"] for task in definition["by_hand"]}
    found = {role: [] for role in ROLES}
    for cell in lesson.cells:
        role = role_of(cell.tags)
        if role and cell.belongs_to("en", "pytorch"):
            found[role[0]].append(role[1])
    files = {}
    for task in definition["tasks"]:  # two tasks that look at one file share the cell that writes it
        files.setdefault(task.get("file", task["id"]), task["id"])
    for role, wanted in (("solution", set(files.values())), ("check", tasks), ("by_hand", by_hand)):
        if sorted(found[role]) != sorted(wanted):
            differ = sorted(set(found[role]) ^ wanted) or sorted(name for name in wanted if found[role].count(name) > 1)
            raise LessonError(
                f"{lesson.path}: expected one cell {role}: for each task of {DEFINITION}, came others: "
                f"{', '.join(differ)}. Tag a cell, or mend the definition."
            )


def _finish(cell: dict, definition: dict, language: str, solved: bool) -> None:
    """Turns a tag into nbgrader's metadata and, for learners, cuts the solution out; in place."""
    tags = cell["metadata"].get("tags", [])
    role = role_of(tags)
    if role is None:
        return
    kind, name = role
    metadata = copy.deepcopy(cell["metadata"])  # the source's cells share theirs
    metadata["tags"] = [tag for tag in tags if not ROLE_TAG.fullmatch(tag)]
    if not metadata["tags"]:
        del metadata["tags"]
    task = _task(definition, name)
    metadata["nbgrader"] = _nbgrader(kind, name, task, cell["cell_type"])
    cell["metadata"] = metadata
    if kind != "check" and not solved:
        stub = UNWRITTEN[language]
        if cell["cell_type"] == "code":
            message = UNSOLVED[language].format(number=task["task"], title=task["title"][language])
            stub = f"raise NotImplementedError({json.dumps(message, ensure_ascii=False)})"
        cell["source"] = cut_solution("".join(cell["source"]), stub).splitlines(keepends=True)


def _task(definition: dict, name: str) -> dict:
    return next(task for task in [*definition["tasks"], *definition["by_hand"]] if task["id"] == name)


def _nbgrader(kind: str, name: str, task: dict, cell_type: str) -> dict:
    metadata = {
        "cell_type": cell_type,
        "grade": kind != "solution",
        "grade_id": f"check_{name}" if kind == "check" else name,
        "locked": kind == "check",
        "schema_version": 3,
        "solution": kind != "check",
        "task": False,
    }
    return metadata | ({"points": task["points"]} if metadata["grade"] else {})
