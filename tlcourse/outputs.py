"""What the cells of a built notebook print and draw: kept while it belongs to the code, checked before a release."""

import ast
import base64
import copy
import io
import re
from pathlib import Path

from PIL import Image

from tlcourse.first_cell import INSTALL_TAG
from tlcourse.lessons import Lesson
from tlcourse.notebook_files import code_cells, join_lines, read_notebook, tags_of, text_of, write_notebook
from tlcourse.records import claim_of, collect
from tlcourse.sentences import SETUP_TAG, read_setup, strings_in
from tlcourse.source_cells import PARAMETERS_TAG, SOLUTION_TAG, strip_magics
from tlhelpers.claims import CLAIM_MIME, Claim, claim_output

INJECTED_TAG = "injected-parameters"  # papermill's mark for the cell that it puts in
PNG = "image/png"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def lesson_cells(notebook: dict) -> list[dict]:
    """The code cells that a run's outputs belong to."""
    return [cell for cell in code_cells(notebook) if not {INJECTED_TAG, INSTALL_TAG} & set(tags_of(cell))]


def keep_valid_outputs(notebook: dict, old: dict) -> None:
    """Takes over the outputs of `old`, up to the first code cell that differs: what comes after it may be stale.

    A cell differs too where a word that it names has changed. A claim whose sentence or bound has changed keeps its
    number and is said anew. Solutions are kept without outputs.
    """
    changed, claims = set(), {}
    for cell, previous in zip(lesson_cells(notebook), lesson_cells(old), strict=False):
        if SETUP_TAG in tags_of(cell) and SETUP_TAG in tags_of(previous):
            (words, claims), (old_words, _) = read_setup(text_of(cell)), read_setup(text_of(previous))
            changed = {name for name in words if words[name] != old_words.get(name)}
        elif _code_of(cell) != _code_of(previous) or (
            changed and changed & set(strings_in(strip_magics(text_of(cell))))
        ):
            break
        kept = [] if SOLUTION_TAG in tags_of(cell) else clean_outputs(previous["outputs"])
        cell["outputs"] = [_say_anew(output, claims) for output in kept]
        cell["execution_count"] = previous["execution_count"]


def adopt_run(path: Path, executed: Path) -> None:
    """Writes the outputs of an executed copy into the built notebook, as if it had been run from its first cell."""
    notebook = read_notebook(path)
    keep_valid_outputs(notebook, read_notebook(executed))
    cells = [cell for cell in code_cells(notebook) if cell["execution_count"] is not None]
    for count, cell in enumerate(cells, 1):  # the injected parameters had taken a number
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = count
            if PNG in output.get("data", {}):
                output["data"][PNG] = smaller_png(output["data"][PNG])
    write_notebook(path, notebook)


def smaller_png(encoded: str) -> str:
    """A figure with the same pixels in fewer bytes, in Base64: matplotlib's are a tenth larger than they need be."""
    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")  # nothing shines through
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    return min(encoded, base64.b64encode(packed.getvalue()).decode(), key=len)


def clean_outputs(outputs: list[dict]) -> list[dict]:
    """Outputs as they go into git: no live widgets, no overwritten progress bars, no memory addresses."""
    cleaned = []
    for output in copy.deepcopy(outputs):
        if output["output_type"] == "stream":
            output["text"] = _overwrite(join_lines(output["text"])).splitlines(keepends=True)
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
            data["text/plain"] = _no_address(join_lines(data["text/plain"])).splitlines(keepends=True)
        cleaned.append(output)
    return cleaned


def check_outputs(lesson: Lesson, path: Path) -> list[str]:
    """What is wrong with the outputs that a built notebook has been given.

    Args:
        lesson: The lesson that the notebook was built from.
        path: The notebook.

    Returns:
        A readable line for each kind of fault: code that was not run, or not in its order, or that failed; claims that
        do not hold, or that say something else than the lesson's YAML file.

    Raises:
        LessonError: The file is no notebook.
    """
    problems, before = [], 0
    for number, cell in enumerate(lesson_cells(read_notebook(path)), 1):
        where = f"code cell {number} ({next(iter(text_of(cell).splitlines()), '')[:60]!r})"
        if SOLUTION_TAG in tags_of(cell):
            problems += [f"{where}: expected a solution without outputs"] * bool(cell["outputs"])
            continue
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            problems.append(f"{where}: ended with an error")
        if cell["execution_count"] is None:
            problems.append(f"{where}: this code and what follows it was not run")
            break
        if cell["execution_count"] <= before:
            problems.append(f"{where}: was run before the cell above it")
            break
        before = cell["execution_count"]
    return problems + [problem for claim in collect([path], asserted=False) for problem in _claim_faults(lesson, claim)]


def _claim_faults(lesson: Lesson, claim: Claim) -> list[str]:
    faults = [] if claim.passed else [f"claim {claim.name}: does not hold, {claim.measured} against {claim.bound}"]
    faults += [] if claim.asserted else [f"claim {claim.name}: was shown with other parameters, and not asserted"]
    if lesson.sentences:
        said = lesson.sentences.claims_in(claim.language).get(claim.name, {})
        if any(getattr(claim, key) != said.get(key) for key in ("en", "es", "at_least", "at_most", "unit")):
            faults.append(f"claim {claim.name}: its sentence, bound or unit is not that of {lesson.name}.yaml")
    return faults


def _say_anew(output: dict, claims: dict[str, dict]) -> dict:
    """An output; that of a claim in the words, and with the bound, that it has now."""
    record = output.get("data", {}).get(CLAIM_MIME)
    if record is None or record["name"] not in claims:
        return output
    now = {"at_least": None, "at_most": None} | claims[record["name"]]
    now |= {bound: float(now[bound]) for bound in ("at_least", "at_most") if now[bound] is not None}
    said = claim_output(claim_of(record | now))
    said |= {kind: said[kind].splitlines(keepends=True) for kind in said if kind != CLAIM_MIME}
    if all(record[key] == value for key, value in now.items()) and said["text/plain"] == output["data"]["text/plain"]:
        return output
    return output | {"data": said}


def _code_of(cell: dict) -> str:
    """A cell's text; of the parameters, the code without the comments, which say what a value is and change nothing."""
    return ast.unparse(ast.parse(text_of(cell))) if PARAMETERS_TAG in tags_of(cell) else text_of(cell)


def _overwrite(text: str) -> str:
    """What a terminal shows in the end: a carriage return goes back to the beginning of the line."""
    return re.sub(r"^.*\r(?!\n)", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)


def _no_address(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
