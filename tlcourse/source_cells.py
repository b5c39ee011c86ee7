"""The cells of a lesson's source in the form that `tlcourse.lessons` describes, read; what is wrong is refused."""

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from tlcourse.errors import LessonError
from tlcourse.sentences import Sentences, check_uses
from tlcourse.toolbox_text import Tool, check_length, in_toolbox, join_texts, read_tool
from tlcourse.variants import FRAMEWORKS, LANGUAGES

PARAMETERS_TAG = "parameters"
SOLUTION_TAG = "solution"  # of the answer to an exercise: runs, starts folded, and is kept without outputs
FOLDED_TAG = "folded"  # of code that starts folded
PASSED_ON = ("tags", "slideshow", "jupyter")  # cell metadata that the notebooks get as they are
JUPYTEXT_OWN = ("cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker")  # how the script was laid out


@dataclass(frozen=True)
class SourceCell:
    """One cell of a lesson's source, before a language and a framework are chosen."""

    kind: str  # "markdown" or "code"
    source: str
    line: int  # of its `# %%`, from 1
    lang: str | None = None
    framework: str | None = None
    metadata: dict = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()  # what a cell with shows="..." shows

    @property
    def text(self) -> str:
        """What the notebook's cell holds: the text of its tools, then its own."""
        return join_texts(list(self.tools), self.source) if self.tools else self.source

    @property
    def tags(self) -> list[str]:
        """The cell's notebook tags."""
        return self.metadata.get("tags", [])

    def belongs_to(self, language: str, framework: str) -> bool:
        """Whether the notebook of this language and framework has this cell."""
        return self.lang in (None, language) and self.framework in (None, framework)


def read_cells(path: Path, text: str, sentences: Sentences | None = None) -> tuple[SourceCell, ...]:
    """The checked cells of a source in the form that this module describes.

    Args:
        path: Where the text comes from, for messages.
        text: The percent script.
        sentences: Its words and claims, if they stand in a file beside it.

    Raises:
        LessonError: The source is refused.
    """
    cells = tuple(_split_cells(path, text))
    _check_partners(path, cells)
    _check_parameters(path, cells, own_language=sentences is None)
    if sentences:
        check_uses(sentences, [(cell.line, strip_magics(cell.source)) for cell in cells if cell.kind == "code"])
    return cells


def strip_magics(code: str) -> str:
    """The code without the lines that only IPython understands (`%magic`, `!command`), which become `pass`."""
    if code.lstrip().startswith("%%"):
        return ""
    return re.sub(r"^(\s*)(?:[%!]|[A-Za-z_][\w, ]*=\s*[%!]).*$", r"\1pass", code, flags=re.MULTILINE)


def _fail(path: Path, line: int, problem: str) -> LessonError:
    return LessonError(f"{path}, line {line}: {problem}")


def _split_cells(path: Path, text: str) -> Iterator[SourceCell]:
    import jupytext  # a tool of those who edit lessons, not of those who read them

    notebook = jupytext.reads(text, fmt="py:percent")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"# ?%%+(\s|$)", line)]
    cells = [cell for cell in notebook.cells if cell.source or cell.metadata]
    if len(lines) != len(cells):
        first = lines[0] if lines else 1
        raise _fail(
            path,
            first,
            f"expected one cell for each line `# %%`, came {len(cells)} cells for {len(lines)} such lines. "
            "Put nothing before the first `# %%`, leave no cell empty, and begin no line inside a string with `# %%`.",
        )
    for line, cell in zip(lines, cells, strict=True):
        yield _check_cell(path, line, cell)


def _check_cell(path: Path, line: int, cell) -> SourceCell:
    metadata = {key: value for key, value in cell.metadata.items() if key not in JUPYTEXT_OWN}
    for key in metadata:
        _check_choice(path, line, "cell metadata", key, ("lang", "framework", "shows", *PASSED_ON))
    lang, framework, shows = (metadata.pop(key, None) for key in ("lang", "framework", "shows"))
    if lang is not None:
        _check_choice(path, line, "lang", lang, LANGUAGES)
    if framework is not None:
        _check_choice(path, line, "framework", framework, FRAMEWORKS)
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _fail(path, line, f'expected tags=["one", "two"], came tags={tags!r}. Write a list of strings.')
    if cell.cell_type not in ("markdown", "code"):
        raise _fail(path, line, f"expected a code or a markdown cell, came [{cell.cell_type}]. Use one of the two.")
    if cell.cell_type == "markdown" and lang is None:
        raise _fail(path, line, 'expected lang="en" or lang="es" on a markdown cell, came none. Add it.')
    if cell.cell_type == "code" and lang is not None:
        raise _fail(
            path,
            line,
            f"expected code shared by the languages, came lang={lang!r}. Take it away: text in code follows "
            "the parameter LANGUAGE.",
        )
    if cell.cell_type == "code":
        _check_code(path, line, cell.source)
    tools = () if shows is None else _read_tools(path, line, shows, cell.cell_type, framework, FOLDED_TAG in tags)
    return SourceCell(cell.cell_type, cell.source, line, lang, framework, metadata, tools)


def _read_tools(path: Path, line: int, shows, kind: str, framework: str | None, folded: bool) -> tuple[Tool, ...]:
    """The tools that a cell shows, of its own framework or of none."""
    names = shows.replace(",", " ").split() if isinstance(shows, str) else []
    if kind != "code" or not names:
        raise _fail(path, line, f'expected shows="tlhelpers.metrics.NAME" on a code cell, came {shows!r} ({kind}).')
    try:
        tools = tuple(read_tool(name) for name in names)
        for tool in tools:
            check_length(tool, folded)
    except LessonError as error:
        raise _fail(path, line, str(error)) from None
    for tool in tools:
        if in_toolbox(tool.name) and not tool.name.startswith(f"tlhelpers.{framework}."):
            wanted = tool.name.split(".")[1]
            raise _fail(
                path, line, f'expected framework="{wanted}" on a cell that shows {tool.name}, came {framework}.'
            )
    return tools


def _check_choice(path: Path, line: int, kind: str, value, known: tuple[str, ...]) -> None:
    if value in known:
        return
    if value == "title" or value == "incorrectly_encoded_metadata":  # jupytext's names for text it cannot take as keys
        raise _fail(
            path,
            line,
            'expected only [markdown] and key="value" pairs after `# %%`, came something else. '
            "Put quotation marks around each value, and move a title into the cell.",
        )
    close = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}?" if close else "Use one of these."
    raise _fail(path, line, f"expected {kind} among {', '.join(known)}, came {value!r}. {hint}")


def _check_code(path: Path, line: int, source: str) -> None:
    try:
        ast.parse(strip_magics(source))
    except SyntaxError as error:
        at = line + (error.lineno or 1)
        shown = (error.text or "").strip()
        raise _fail(
            path, at, f"expected Python code, came {shown!r} ({error.msg}). Mend it, or mark the cell [markdown]."
        ) from None


def _check_partners(path: Path, cells: tuple[SourceCell, ...]) -> None:
    """Walks over the runs of marked cells: each run has one cell for each language and framework that it needs."""
    at = 0
    while at < len(cells):
        cell = cells[at]
        wanted = set(
            product(
                LANGUAGES if cell.lang else (None,),
                FRAMEWORKS if cell.framework else (None,),
            )
        )
        group = cells[at : at + len(wanted)]
        for member in group:
            key = (member.lang, member.framework)
            if member.kind != cell.kind or key not in wanted:
                break
            wanted.remove(key)
        if wanted:
            missing = " and ".join(_marks(*key) for key in sorted(wanted, key=str))
            raise _fail(
                path,
                cell.line,
                f"expected beside this {cell.kind} cell ({_marks(cell.lang, cell.framework)}) its partner "
                f"with {missing}, came none. Write it right after this cell.",
            )
        at += len(group)


def _marks(lang: str | None, framework: str | None) -> str:
    marks = [f'{key}="{value}"' for key, value in (("lang", lang), ("framework", framework)) if value]
    return " ".join(marks) or "no mark"


def _check_parameters(path: Path, cells: tuple[SourceCell, ...], own_language: bool) -> None:
    found = [cell for cell in cells if PARAMETERS_TAG in cell.tags]
    if len(found) != 1 or found[0].kind != "code" or found[0].framework:
        lines = ", ".join(str(cell.line) for cell in found) or "none"
        raise _fail(
            path,
            found[-1].line if found else 1,
            f'expected exactly one shared code cell with tags=["{PARAMETERS_TAG}"], came: {lines}. Keep one.',
        )
    cell = found[0]
    names = set()
    for statement in ast.parse(cell.source).body:
        at = cell.line + statement.lineno
        try:
            (target,) = statement.targets
            ast.literal_eval(statement.value)
            names.add(target.id)
        except (AttributeError, ValueError):
            raise _fail(
                path,
                at,
                "expected only NAME = constant in the parameters cell, came "
                f"{ast.unparse(statement)!r}. Move it into the next cell.",
            ) from None
    if not own_language and "LANGUAGE" in names:
        raise _fail(
            path,
            cell.line,
            f"expected no LANGUAGE in the parameters, since the folded cell of {path.stem}.yaml sets it, came one. "
            "Take it away.",
        )
    if own_language and "LANGUAGE" not in names:
        raise _fail(path, cell.line, 'expected LANGUAGE = "en" in the parameters cell, came none. Add it.')
