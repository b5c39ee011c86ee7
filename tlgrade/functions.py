"""Calls the functions that tasks ask for, in a box of their own, and compares what they return."""

import hashlib
from collections.abc import Mapping

import numpy as np

from tlgrade import artefacts
from tlgrade import scoring as lab_scoring
from tlgrade.artefacts import Refusal
from tlgrade.launch import launch
from tlgrade.settings import BoxSettings

START_SECONDS = 120
ANSWER_BYTES = 8 << 20


def make_cases(task: Mapping, seed: int) -> list[dict]:
    """The cases of a task: the same for every learner, and for a rerun of the same grading."""
    digest = hashlib.sha256(f"{seed} {task['id']}".encode()).digest()
    return lab_scoring.make_cases(task["cases"], np.random.default_rng(int.from_bytes(digest, "big")))


def call_functions(
    sources: Mapping[str, str], tasks: Mapping[str, Mapping], cases: Mapping[str, list], settings: BoxSettings
) -> dict[str, list | Refusal]:
    """Runs cells and calls their functions.

    Args:
        sources: For each task the cell's source.
        tasks: For each task its definition.
        cases: For each task its cases.
        settings: What the box is made with; it sees neither the lab's images nor weights.

    Returns:
        For each task a list of answers (`{"value": ...}` or `{"error": name}`), or why there are none.

    Raises:
        BoxError: The box could not be built.
    """
    if not sources:
        return {}
    limits = settings.limits
    alone = BoxSettings(limits=limits, boxed=settings.boxed)
    orders = [
        {
            "id": name,
            "source": source,
            "function": tasks[name]["function"],
            "cases": [case["arguments"] for case in cases[name]],
        }
        for name, source in sources.items()
    ]
    boxed = launch("functions.py", alone)
    try:
        wall = START_SECONDS + len(orders) * (limits.function_wall + 1)
        boxed.guard(wall, limits)
        boxed.send({"tasks": orders, "seconds": limits.function_wall})
        boxed.wait(wall + START_SECONDS)
        boxed.kill()
        boxed.wait(START_SECONDS)
        return {name: _read_answers(boxed.out, tasks[name], limits.function_wall) for name in sources}
    finally:
        boxed.close()


def compare(answers: list, task: Mapping, cases: list[dict]) -> tuple[float, str, dict]:
    """Points for answers: all, or none where one is wrong.

    Returns:
        Points, and a reason's code and values.
    """
    expected = [lab_scoring.reference(task["cases"], case["arguments"]) for case in cases]
    if len(answers) != len(cases):
        return 0.0, "no_answer", {"function": task["function"]}
    right = sum(
        isinstance(answer, dict) and "value" in answer and lab_scoring.equal_json(answer["value"], wanted)
        for answer, wanted in zip(answers, expected, strict=True)
    )
    if right == len(cases):
        return float(task["points"]), "full", {}
    return 0.0, "wrong", {"function": task["function"], "right": right, "cases": len(cases)}


def _read_answers(folder: int, task: Mapping, seconds: float) -> list | Refusal:
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
        return Refusal("cell_error", {"detail": _identifier(said.get("detail"))})
    if error in ("no_function", "slow"):
        return Refusal(error, {"function": task["function"], "seconds": seconds})
    return unreadable


def _identifier(name: object) -> str:
    """The name of an exception, which a learner's code made up, and which others will read."""
    return name[:60] if isinstance(name, str) and name.isidentifier() and name.isascii() else "an error"
