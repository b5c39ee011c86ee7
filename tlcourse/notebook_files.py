"""Notebooks as JSON: read, written the same byte for byte, and the few questions that one asks a cell."""

import json
from pathlib import Path

from tlcourse.errors import LessonError
from tlhelpers.paths import atomic_path


def read_notebook(path: Path) -> dict:
    """Reads a notebook.

    Raises:
        LessonError: The file is no notebook.
    """
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list):
            return notebook
        problem = "it has no cells"
    except ValueError as error:  # not JSON, as after a merge with conflicts, or not UTF-8
        problem = str(error)
    raise LessonError(f"{path}: expected a notebook, came something else: {problem}. Delete it and build again.")


def write_notebook(path: Path, notebook: dict) -> None:
    """Writes a notebook with sorted keys and indent 1, beside its place, then renames it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if path.exists() and path.read_bytes() == text.encode("utf-8"):
        return  # an unchanged file keeps its time stamp, so that editors do not ask to reload it
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def code_cells(notebook: dict) -> list[dict]:
    """Its code cells, in their order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(cell: dict) -> str:
    """A cell's source as one text."""
    return join_lines(cell["source"])


def tags_of(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell["metadata"].get("tags", [])


def join_lines(text: str | list[str]) -> str:
    """A text that a notebook may hold as a list of lines."""
    return text if isinstance(text, str) else "".join(text)
