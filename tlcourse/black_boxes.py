"""Refuses what a learner has not seen: tools that a lesson imports, or that a shown tool needs, and no lesson shows."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tlcourse.course_map import Outline
from tlcourse.lessons import FRAMEWORK_NAMES, FRAMEWORKS, Lesson, SourceCell, strip_magics
from tlcourse.toolbox_text import in_toolbox
from tlhelpers.errors import LessonError

LEGACY = "tlhelpers.legacy"
WAITING = {  # these still stand on the old mirrors, until they are rewritten; nothing may be added
    "00_start_here",
    "01_cats_vs_dogs",
    "02_what_networks_see",
    "03_fine_tuning",
    "04_choosing_a_backbone",
    "05_common_mistakes",
    "06_evaluation",
    "07_adversarial_cat",
    "11_training_tricks",
    "pets_lab",
}


def check_black_boxes(lesson: Lesson, course: list[Outline]) -> None:
    """Refuses a lesson that takes from the toolbox what neither it nor an earlier lesson shows.

    Args:
        lesson: The lesson, or the lab, which comes after all lessons.
        course: The outlines of all lessons.

    Raises:
        LessonError: With the line, and with the lesson that could show what is missing.
    """
    names = [outline.name for outline in course]
    earlier = course[: names.index(lesson.name)] if lesson.name in names else course
    for framework in FRAMEWORKS:
        cells = [cell for cell in lesson.cells if cell.kind == "code" and cell.belongs_to("en", framework)]
        here = {tool.name for cell in cells for tool in cell.tools}
        shown = here.union(*(outline.shows[framework] for outline in earlier))
        bound = {name for cell in cells for name in _bound(ast.parse(strip_magics(cell.text)))}
        for cell in cells:
            for line, name in imports_of(cell):
                _check_import(lesson, course, line, name, shown)
            _check_needs(lesson, course, cell, framework, shown, bound)


def imports_of(cell: SourceCell) -> Iterator[tuple[int, str]]:
    """Line in the source, and whole name, of all that a cell's own code imports."""
    for node in ast.walk(ast.parse(strip_magics(cell.source))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = "" if isinstance(node, ast.Import) else f"{node.module}."
            yield from ((cell.line + node.lineno, module + alias.name) for alias in node.names)


def is_legacy(name: str) -> bool:
    """Whether a whole name lies in what only lessons that wait may use."""
    return name == LEGACY or name.startswith(LEGACY + ".")


def _check_import(lesson: Lesson, course: list[Outline], line: int, name: str, shown: set[str]) -> None:
    if is_legacy(name) and not (lesson.name in WAITING and lesson.sentences is None):
        raise _fail(
            lesson.path,
            line,
            f"expected no import from {LEGACY}, which only lessons that wait to be rewritten may use, came {name}. "
            "Take it from tlhelpers.pytorch and tlhelpers.tensorflow, and show it.",
        )
    if in_toolbox(name) and name not in shown:
        raise _fail(lesson.path, line, f"came an import of {name}, which is not shown. {_mend(name, course)}")


def _check_needs(
    lesson: Lesson, course: list[Outline], cell: SourceCell, framework: str, shown: set[str], bound: set[str]
) -> None:
    for tool in cell.tools:
        for name in sorted(tool.own):
            if in_toolbox(name) and name not in shown:
                raise _fail(
                    lesson.path,
                    cell.line,
                    f"came {tool.name}, which uses {name}, and that is not shown. {_mend(name, course)}",
                )
        missing = sorted(({name.rpartition(".")[2] for name in tool.own} | tool.imported) - bound)
        if missing:
            raise LessonError(
                f"{lesson.path}, line {cell.line}: expected a cell that defines or imports {', '.join(missing)}, which "
                f"{tool.name} uses, came none in {FRAMEWORK_NAMES[framework]}. Import what it needs, as "
                f"{tool.path.name} does."
            )


def _mend(name: str, course: list[Outline]) -> str:
    framework, short = name.split(".")[1], name.rpartition(".")[2]
    if name.count(".") < 3:
        return "Import its functions by their names: from tlhelpers.pytorch.training import fit."
    cell = f'# %% framework="{framework}" shows="{name}"'
    later = [outline.name for outline in course if name in outline.shows[framework]]
    if later:
        return f"{later[0]} shows it, later: put its cell {cell} here, or do without {short} until then."
    return f"No lesson shows it: put a cell {cell} here or into an earlier lesson."


def _bound(tree: ast.AST) -> Iterator[str]:
    """The names that a piece of code imports, defines or assigns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _fail(path: Path, line: int, problem: str) -> LessonError:
    return LessonError(f"{path}, line {line}: expected only tools that this lesson or an earlier one shows, {problem}")
