"""Finds submissions and reads them, as little trusted as what is in them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tlgrade import artefacts
from tlgrade.artefacts import Refusal
from tlgrade.reasons import LANGUAGES
from tlhelpers.errors import DataNotFoundError

NOTEBOOK_BYTES = 32 << 20
FRAMEWORKS = ("pytorch", "tensorflow")
# What file managers, systems and Jupyter leave, and nobody hands in.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", ".ipynb_checkpoints", "@eaDir"}


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


@dataclass(frozen=True)
class LeftOut:
    """A file that no learner's result comes from.

    Attributes:
        path: Relative to the folder of submissions.
        reason: A code of `reasons`.
        matters: Whether it may be somebody's work, so that a person has to look.
    """

    path: str
    reason: str
    matters: bool


def find_submissions(folder: Path) -> tuple[list[Submission], list[LeftOut]]:
    """All submissions in a folder: `LEARNER/…/ANY.ipynb` and `LEARNER.ipynb`, by learner.

    A learner's folder may have folders in it, as a repository that was handed in whole does; links are not followed.

    Returns:
        The submissions, and every other file, so that nothing vanishes.

    Raises:
        DataNotFoundError: There is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"expected a folder of submissions, and there is none at {folder}.")
    found: dict[str, Submission] = {}
    left: list[LeftOut] = []
    entries = sorted(os.scandir(folder), key=lambda entry: (not entry.is_dir(follow_symlinks=False), entry.name))
    for entry in entries:
        if entry.name in _LITTER:
            continue
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            found[entry.name] = _in_folder(Path(entry.path), folder, left)
        elif not _is_notebook(entry.name) or entry.is_dir(follow_symlinks=False):
            hidden = entry.name.startswith(".")
            left.append(LeftOut(entry.name, "hidden" if hidden else "other_file", not hidden))
        else:
            learner = entry.name[: -len(".ipynb")]
            twice = Submission(learner, None, Refusal("twice", {"learner": learner}))
            found[learner] = twice if learner in found else Submission(learner, Path(entry.path))
    if not found:
        raise DataNotFoundError(
            f"expected LEARNER/NOTEBOOK.ipynb or LEARNER.ipynb in {folder}, and there is nothing of the kind."
        )
    return [found[learner] for learner in sorted(found)], left


def _in_folder(folder: Path, root: Path, left: list[LeftOut]) -> Submission:
    notebooks, others, closed = [], [], []
    for place, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.strerror or "error")):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _LITTER)
        for name in sorted(names):
            if name in _LITTER:
                continue
            right = _is_notebook(name) and not name.startswith(".")
            (notebooks if right else others).append(Path(place) / name)
    left += [LeftOut(os.path.relpath(path, root), "beside", False) for path in others]
    if closed:
        return Submission(folder.name, None, Refusal("unreadable", {"file": folder.name, "detail": closed[0]}))
    if len(notebooks) == 1:
        return Submission(folder.name, notebooks[0])
    left += [LeftOut(os.path.relpath(path, root), "several_here", True) for path in notebooks]
    refusal = Refusal("several", {"count": len(notebooks)}) if notebooks else Refusal("absent", {})
    return Submission(folder.name, None, refusal)


def _is_notebook(name: str) -> bool:
    return name.lower().endswith(".ipynb")


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
        sources: The source of every cell in its order; None for one that holds no code.
        cells: For each nbgrader `grade_id` the place of its code cell in `sources`.
        copies: Each `grade_id` that more than one code cell has; the last of them counts.
        language: "en" or "es", as the notebook says; None where it does not.
        framework: "pytorch" or "tensorflow", as the notebook says; None where it does not.
    """

    sources: tuple[str | None, ...]
    cells: dict[str, int]
    copies: frozenset[str]
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
    sources = tuple(_source(_mapping(cell)) for cell in node["cells"])
    cells: dict[str, int] = {}
    copies = set()
    for place, cell in enumerate(node["cells"]):
        name = _mapping(_mapping(_mapping(cell).get("metadata")).get("nbgrader")).get("grade_id")
        if isinstance(name, str) and sources[place] is not None:
            copies |= {name} & cells.keys()
            cells[name] = place
    framework = _one_of(about.get("framework"), FRAMEWORKS)
    return Notebook(sources, cells, frozenset(copies), _one_of(about.get("language"), LANGUAGES), framework)


def clean_notebook(notebook: Notebook) -> bytes:
    """The notebook's code as a notebook file, without outputs and metadata, which nobody has to read."""
    bare = {"metadata": {}, "cell_type": "markdown", "source": ""}
    code = {"metadata": {}, "cell_type": "code", "outputs": [], "execution_count": None}
    cells = [
        {"id": str(place), **(bare if source is None else code | {"source": source})}
        for place, source in enumerate(notebook.sources)
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def _source(cell: dict) -> str | None:
    """The source of a code cell, in which what is no character (half of a pair of UTF-16) is replaced."""
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if cell.get("cell_type") != "code" or not isinstance(source, str):
        return None
    return source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _one_of(value: object, known: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in known else None


def to_text(content: dict) -> str:
    """JSON as results are kept: the same content gives the same text."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
