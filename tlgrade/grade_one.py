"""Grades one submission: runs it, and scores what it left when its kernel is dead."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tlgrade import functions
from tlgrade import scoring as lab_scoring
from tlgrade.artefacts import Refusal, moved_weights, read_text
from tlgrade.lab import Lab
from tlgrade.run_submission import ClientProcess, run_submission
from tlgrade.settings import BoxSettings
from tlgrade.submissions import Notebook, parse_notebook


@dataclass(frozen=True)
class Score:
    """What a task was given.

    Attributes:
        points: Points.
        code: Why; a code of `reasons`.
        values: What the reason's text is filled with.
        reached: The fraction that predictions reached, or None.
        breeds: For predictions, for each breed how many images were right and how many there are.
    """

    points: float
    code: str
    values: dict
    reached: float | None = None
    breeds: dict[str, tuple[int, int]] | None = None


NO_NOTEBOOK = Notebook((), {}, frozenset(), None, None)


def grade(content: bytes | Refusal, lab: Lab, settings: BoxSettings, client: ClientProcess) -> dict:
    """Grades a submission.

    Args:
        content: The notebook file's content, or why there is none.
        lab: What it is graded against.
        settings: What boxes are made with.
        client: What runs notebooks.

    Returns:
        The result, as JSON has it. It depends on nothing but the arguments, save for what was `measured`.

    Raises:
        BoxError: A box could not be built; nothing is said about the submission.
    """
    started = time.monotonic()
    notebook = content if isinstance(content, Refusal) else parse_notebook(content)
    if isinstance(notebook, Refusal):
        scores = {task["id"]: Score(0.0, notebook.code, notebook.values) for task in lab.tasks}
        return _result(lab, settings, scores, NO_NOTEBOOK, {"outcome": "no_notebook"}, {}, started)
    run, found = run_submission(client, notebook, lab.files, settings)
    if run["outcome"] == "no_notebook":
        found = {name: Refusal("no_notebook", {"detail": run["detail"]}) for name in lab.files}
    scores = _score_functions(notebook, lab, settings)
    for task in lab.tasks:
        if task["kind"] == "predictions":
            scores[task["id"]] = score_predictions(found[task["file"]], task, lab)
    for task in lab.tasks:
        scores[task["id"]] = _cap(scores[task["id"]], task, scores, found)
    return _result(lab, settings, scores, notebook, run, found, started)


def score_predictions(found: bytes | Refusal, task: Mapping, lab: Lab) -> Score:
    """Scores one artefact of predictions: points from one half of the hidden images, what is told from the other."""
    text = found if isinstance(found, Refusal) else read_text(found, task["file"])
    if isinstance(text, Refusal):
        return Score(0.0, text.code, text.values)
    try:
        rows = lab_scoring.parse_predictions(text, len(lab.labels))
        lab_scoring.refuse_problems(rows, list(lab.labels), lab.classes)
    except lab_scoring.PredictionsError as error:
        first = error.problems[0]
        return Score(0.0, "predictions", {"file": task["file"], "en": first.en, "es": first.es})
    told, counted = (
        lab_scoring.score_predictions(
            [row for row in rows if row["id"] in half], half, lab.classes, task["measure"]
        ).value
        for half in lab_scoring.split_in_halves(lab.labels)
    )
    points = lab_scoring.points_for(task, lab.dataset, counted)
    bounds = [bound for bound, worth in task["steps"][lab.dataset] if worth > points]
    values = {"reached": told, "bound": min(bounds, default=0)}
    return Score(points, "below" if bounds else "full", values if bounds else {}, counted, _by_breed(rows, lab))


def _cap(score: Score, task: Mapping, scores: Mapping[str, Score], found: Mapping[str, bytes | Refusal]) -> Score:
    """Half of the points at most where the hand-in does not show what the task is about."""
    half = task["points"] / 2
    if score.points <= half:
        return score
    if "moved" in task:
        content = found[task["moved"]]
        if isinstance(content, Refusal) or not moved_weights(content):
            return replace(score, points=half, code="not_moved", values={"file": task["moved"]})
    for other, most in task.get("at_most_below", {}).items():
        own = scores[other].reached
        if own is not None and score.reached is not None and own - score.reached > most:
            return replace(score, points=half, code="forgot", values={"other": other, "most": 100 * most})
    return score


def _by_breed(rows: list[Mapping], lab: Lab) -> dict[str, tuple[int, int]]:
    breeds = lab.classes["breeds"]
    counts = {breed: [0, 0] for breed in breeds}
    for row in rows:
        truth = breeds[lab.labels[row["id"]]]
        counts[truth][0] += row["first"] == truth
        counts[truth][1] += 1
    return {breed: (right, total) for breed, (right, total) in counts.items()}


def _score_functions(notebook: Notebook, lab: Lab, settings: BoxSettings) -> dict[str, Score]:
    tasks = {task["id"]: task for task in lab.tasks if task["kind"] == "function"}
    cases = {name: functions.make_cases(task, lab.key) for name, task in tasks.items()}
    scores = {}
    for name, given in functions.call_functions(notebook, tasks, cases, settings).items():
        if isinstance(given, Refusal):
            scores[name] = Score(0.0, given.code, given.values)
        else:
            scores[name] = Score(*functions.compare(given, tasks[name], cases[name], notebook))
    return scores


def _result(
    lab: Lab,
    settings: BoxSettings,
    scores: dict[str, Score],
    notebook: Notebook,
    run: dict,
    found: dict,
    started: float,
) -> dict:
    tasks = [
        {"id": task["id"], "points": scores[task["id"]].points, "of": task["points"], "bonus": bool(task.get("bonus")),
         "code": scores[task["id"]].code, "values": scores[task["id"]].values, "reached": scores[task["id"]].reached}
        for task in lab.tasks
    ]  # fmt: skip
    breeds = [scores[task["id"]].breeds for task in lab.tasks if scores[task["id"]].breeds]
    return {
        "lab": lab.name,
        "points": sum(task["points"] for task in tasks if not task["bonus"]),
        "of": lab.points,
        "bonus": sum(task["points"] for task in tasks if task["bonus"]),
        "tasks": tasks,
        "outcome": run["outcome"],
        "failed_cells": run.get("failed", []),
        "copies": sorted(notebook.copies & {task["id"] for task in lab.tasks}),
        "files": {name: digest(content) for name, content in found.items() if isinstance(content, bytes)},
        "wall": settings.limits.wall,
        "boxed": settings.boxed,
        "language": notebook.language,
        "framework": notebook.framework,
        "breeds": breeds[-1] if breeds else None,
        "measured": {
            "run": round(run.get("seconds", 0.0), 3),
            "all": round(time.monotonic() - started, 3),
            "forked": run.get("forked", False),
        },
    }


def digest(*parts: str | bytes) -> str:
    """A hash of parts, in which no two parts can be mistaken for one."""
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return found.hexdigest()
