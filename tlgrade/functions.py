"""Calls the functions that tasks ask for, in a box of their own, and compares what they return."""

import hashlib
from collections.abc import Mapping

import numpy as np

from tlgrade import artefacts
from tlgrade import scoring as lab_scoring
from tlgrade.artefacts import Refusal
from tlgrade.launch import launch
from tlgrade.settings import BoxSettings
from tlgrade.submissions import Notebook

START_SECONDS = 120
ANSWER_BYTES = 8 << 20
_KINDS = {"NameError", "TypeError", "ValueError", "IndexError", "KeyError", "AttributeError", "ZeroDivisionError",
          "ImportError", "ModuleNotFoundError", "SyntaxError", "UnboundLocalError", "RecursionError"}  # fmt: skip


def make_cases(task: Mapping, key: str) -> list[dict]:
    """The cases of a task: the same for every learner, and for a rerun of the same grading."""
    digest = hashlib.sha256(f"{key} {task['id']}".encode()).digest()
    return lab_scoring.make_cases(task["cases"], np.random.default_rng(int.from_bytes(digest, "big")))


def call_functions(
    notebook: Notebook, tasks: Mapping[str, Mapping], cases: Mapping[str, list], settings: BoxSettings
) -> dict[str, list | Refusal]:
    """Runs cells and calls their functions.

    Args:
        notebook: What was handed in.
        tasks: For each task its definition.
        cases: For each task its cases.
        settings: What the box is made with; it sees neither the lab's images nor weights.

    Returns:
        For each task a list of answers (`{"value": ...}` or `{"kind": name of an error}`), or why there are none.

    Raises:
        BoxError: The box could not be built.
    """
    limits = settings.limits
    orders = [
        {
            "id": name,
            "sources": notebook.sources,
            "place": notebook.cells.get(name),
            "function": task["function"],
            "cases": [case["arguments"] for case in cases[name]],
            "seconds": limits.function_wall,
        }
        for name, task in tasks.items()
    ]
    if not orders:
        return {}
    boxed = launch("functions.py", BoxSettings(limits=limits, boxed=settings.boxed, secret=settings.secret))
    try:
        wall = START_SECONDS + len(orders) * (limits.function_wall + 1)
        boxed.guard(wall, limits)
        boxed.send_tasks(orders)
        boxed.wait(2 * wall + START_SECONDS)
        boxed.kill()
        boxed.wait(START_SECONDS)
        return {name: _read_answers(boxed.out, task, notebook, limits) for name, task in tasks.items()}
    finally:
        boxed.close()


def compare(answers: list, task: Mapping, cases: list[dict], notebook: Notebook) -> tuple[float, str, dict]:
    """Points for answers: all where every case is right, half where at least half of them are, else none.

    Returns:
        Points, and a reason's code and values.
    """
    if len(answers) != len(cases):
        return 0.0, "no_answer", {"function": task["function"]}
    right, failed = 0, None
    for answer, case in zip(answers, cases, strict=True):
        answer = answer if isinstance(answer, dict) else {}
        right += "value" in answer and lab_scoring.is_right(task["cases"], answer["value"], case["arguments"])
        failed = failed or ("kind" in answer and _tell_error(answer, notebook))
    if right == len(cases):
        return float(task["points"]), "full", {}
    values = {"function": task["function"], "right": right, "cases": len(cases)}
    points = task["points"] / 2 if right >= len(cases) / 2 else 0.0
    return points, "wrong_error" if failed else "wrong", values | ({"detail": failed} if failed else {})


def _read_answers(folder: int, task: Mapping, notebook: Notebook, limits) -> list | Refusal:
    unreadable = Refusal("no_answer", {"function": task["function"]})
    found = artefacts.take(folder, f"{task['id']}.json", ANSWER_BYTES)
    if isinstance(found, Refusal):
        return unreadable
    try:
        said = artefacts.read_json(found)
    except ValueError:
        return unreadable
    if isinstance(said, dict) and isinstance(said.get("answers"), list):
        return said["answers"]
    error = said.get("error") if isinstance(said, dict) else None
    if error == "cell_error":
        return Refusal("cell_error", {"detail": _tell_error(said, notebook)})
    if error == "missing_cell":
        return Refusal(error, {"task": task["id"]})
    if error in ("no_function", "slow"):
        return Refusal(error, {"function": task["function"], "seconds": limits.function_wall})
    return unreadable


def _tell_error(said: dict, notebook: Notebook) -> str:
    """An error as it may be told: one of Python's own, and a name only where the notebook's code has it anyway.

    What a learner's code made up would be a way to carry hidden images out in the feedback.
    """
    kind, name = said.get("kind"), said.get("name")
    kind = kind if isinstance(kind, str) and kind in _KINDS else "Exception"
    written = isinstance(name, str) and name.isidentifier() and len(name) <= 40
    if kind == "NameError" and written and any(name in (source or "") for source in notebook.sources):
        return f"{kind}: {name}"
    return kind
