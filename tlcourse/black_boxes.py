"""Refuses what a learner has not seen: tools that a lesson imports, or that a shown tool needs, and no lesson shows."""

import ast
from collections.abc import Iterator

from tlcourse.course_map import Outline
from tlcourse.errors import LessonError
from tlcourse.lessons import Lesson
from tlcourse.source_cells import SourceCell, strip_magics
from tlcourse.toolbox_text import from_module, in_toolbox, is_module
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS


def check_black_boxes(lesson: Lesson, course: list[Outline]) -> None:
    """Refuses a lesson that takes from the toolbox what neither it nor an earlier lesson shows.

    Args:
        lesson: The lesson, or the lab, which comes after all lessons.
        course: The outlines of all lessons.

    Raises:
        LessonError: All that is missing, each with its line and the lesson that could show it.
    """
    names = [outline.name for outline in course]
    earlier = course[: names.index(lesson.name)] if lesson.name in names else course
    faults = []
    for framework in FRAMEWORKS:
        cells = [cell for cell in lesson.cells if cell.kind == "code" and cell.belongs_to("en", framework)]
        here = {tool.name for cell in cells for tool in cell.tools}
        shown = here.union(*(outline.shows[framework] for outline in earlier))
        trees = [ast.parse(strip_magics(cell.text)) for cell in cells]
        bound = {name for tree in trees for name in _bound(tree)}
        for cell in cells:
            found = [
                *_import_faults(lesson, course, cell, trees, shown),
                *_tool_faults(course, cell, framework, shown, bound),
            ]
            faults += [f"{lesson.path}, line {line}: {problem}" for line, problem in found]
    if faults:
        raise LessonError("\n".join(dict.fromkeys(faults)))  # a shared cell is looked at once for each framework


def imports_of(cell: SourceCell) -> Iterator[tuple[int, str, str]]:
    """Line in the source, whole name, and name in the cell, of all that a cell's own code imports."""
    for node in ast.walk(ast.parse(strip_magics(cell.source))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = "" if isinstance(node, ast.Import) else f"{node.module}."
            for alias in node.names:
                yield cell.line + node.lineno, module + alias.name, alias.asname or alias.name.split(".")[0]


def _import_faults(
    lesson: Lesson, course: list[Outline], cell: SourceCell, trees: list[ast.AST], shown: set[str]
) -> Iterator[tuple[int, str]]:
    """What a cell imports and may not: a module of the toolbox may be imported for what was shown of it."""
    for line, name, alias in imports_of(cell):
        if in_toolbox(name):
            for taken in sorted((from_module(trees, alias, name) if is_module(name) else {name}) - shown):
                yield line, f"expected imports of what was shown, came {taken}. {_mend(taken, course)}"


def _tool_faults(
    course: list[Outline], cell: SourceCell, framework: str, shown: set[str], bound: set[str]
) -> Iterator[tuple[int, str]]:
    """What the texts that a cell shows need, and do not find."""
    for tool in cell.tools:
        for name in sorted(tool.own):
            if in_toolbox(name) and name not in shown:
                yield cell.line, f"expected that {tool.name} uses what was shown, came {name}. {_mend(name, course)}"
        missing = sorted(tool.needs - bound)
        if missing:
            yield (
                cell.line,
                f"expected a cell that imports or defines {', '.join(missing)}, which {tool.name} uses, came none for "
                f"{FRAMEWORK_NAMES[framework]}. Import it as {tool.path.name} does.",
            )


def _mend(name: str, course: list[Outline]) -> str:
    framework, short = name.split(".")[1], name.rpartition(".")[2]
    if name.count(".") < 3:
        return f"Import what was shown from its module: from tlhelpers.{framework}.training import fit."
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
