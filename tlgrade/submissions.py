"""Finds submissions and reads them, as little trusted as what is in them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlgrade import artefacts
from tlgrade.artefacts import Refusal
from tlgrade.reasons import LANGUAGES
from tlhelpers.errors import DataNotFoundError

NOTEBOOK_BYTES = 32 << 20
FRAMEWORKS = ("pytorch", "tensorflow")


@dataclass(frozen=True)
class Submission:
    """What a learner handed in.

    Attributes:
        learner: The name of the learner's folder, or of the file.
        path: The notebook; None where `refusal` says why there is none.
        refusal: Why it cannot be graded.
    """

    learner: str
    path: Path | None
    refusal: Refusal | None = None


def find_submissions(folder: Path) -> list[Submission]:
    """All submissions in a folder: `LEARNER/ANY.ipynb` and `LEARNER.ipynb`, by learner.

    Raises:
        DataNotFoundError: There is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"expected a folder of submissions, and there is none at {folder}.")
    found: dict[str, Submission] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: (not entry.is_dir(follow_symlinks=False), entry.name)):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            found[entry.name] = _in_folder(Path(entry.path))
        elif entry.name.endswith(".ipynb"):
            learner = entry.name.removesuffix(".ipynb")
            found.setdefault(learner, Submission(learner, Path(entry.path)))
    if not found:
        raise DataNotFoundError(
            f"expected LEARNER/NOTEBOOK.ipynb or LEARNER.ipynb in {folder}, and there is nothing of the kind."
        )
    return [found[learner] for learner in sorted(found)]


def _in_folder(folder: Path) -> Submission:
    notebooks = [name for name in sorted(os.listdir(folder)) if name.endswith(".ipynb") and not name.startswith(".")]
    if len(notebooks) == 1:
        return Submission(folder.name, folder / notebooks[0])
    refusal = Refusal("several", {"count": len(notebooks)}) if notebooks else Refusal("absent", {})
    return Submission(folder.name, None, refusal)


def read_submission(submission: Submission) -> bytes | Refusal:
    """The notebook file's content; links are not followed."""
    if submission.path is None:
        return submission.refusal or Refusal("absent", {})
    try:
        folder = os.open(submission.path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        return Refusal("unreadable", {"file": submission.path.name, "detail": error.strerror or "error"})
    try:
        return artefacts.take(folder, submission.path.name, NOTEBOOK_BYTES)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Notebook:
    """What a grader needs to know of a notebook.

    Attributes:
        cells: For each nbgrader `grade_id` the source of the first code cell that has it.
        language: "en" or "es", as the notebook says; None where it does not.
        framework: "pytorch" or "tensorflow", as the notebook says; None where it does not.
    """

    cells: dict[str, str]
    language: str | None
    framework: str | None


def parse_notebook(content: bytes) -> Notebook | Refusal:
    """Looks into a notebook, of which everything may be otherwise than it should."""
    try:
        node = artefacts.read_json(content)
    except (ValueError, MemoryError) as error:
        return Refusal("no_notebook", {"detail": type(error).__name__})
    if not isinstance(node, dict) or not isinstance(node.get("cells"), list):
        return Refusal("no_notebook", {"detail": "no cells"})
    about = _mapping(_mapping(node.get("metadata")).get("tlhelpers"))
    cells: dict[str, str] = {}
    for name, source in _solutions(node["cells"]):
        cells.setdefault(name, source)
    return Notebook(cells, _one_of(about.get("language"), LANGUAGES), _one_of(about.get("framework"), FRAMEWORKS))


def _solutions(cells: list) -> Iterator[tuple[str, str]]:
    for cell in map(_mapping, cells):
        name = _mapping(_mapping(cell.get("metadata")).get("nbgrader")).get("grade_id")
        source = cell.get("source")
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if cell.get("cell_type") == "code" and isinstance(name, str) and isinstance(source, str):
            yield name, source


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _one_of(value: object, known: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in known else None


def to_text(content: dict) -> str:
    """JSON as results are kept: the same content gives the same text."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
