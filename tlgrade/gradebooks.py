"""Tables of grades: our own, and what Moodle and Canvas import. No cell is a formula, whatever a learner is called."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from tlgrade.reasons import explain, explain_outcome
from tlhelpers.paths import atomic_path

_FORMULA = tuple("=+-@\t\r\n|%")
Graded = tuple[str, Mapping | None]  # a learner and the result; None where it could not be graded


def write_grades(path: Path, lab, graded: Iterable[Graded], language: str) -> None:
    """One line a learner: points, points of each task, how the run ended, and why points were lost."""
    names = [task["id"] for task in lab.tasks]
    header = ["learner", "points", "of", "bonus_points", "run", "boxed", *names, "reasons"]
    _write(path, header, (_grades_row(learner, result, names, language) for learner, result in graded))


def write_moodle(path: Path, lab, graded: Iterable[Graded], language: str) -> None:
    """For Grades > Import > CSV file: match `ID number`, and take `Feedback` as the feedback of the grade."""
    rows = ([learner, _points(result), _reasons(result, language)] for learner, result in graded if result)
    _write(path, ["ID number", lab.title[language], "Feedback"], rows)


def write_canvas(path: Path, lab, graded: Iterable[Graded], language: str) -> None:
    """For Grades > Import; the learner's id is taken to be the login."""
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", lab.title[language]]
    possible = ["    Points Possible", "", "", "", "", lab.points]
    rows = ([learner, "", "", learner, "", _points(result)] for learner, result in graded if result)
    _write(path, header, (row for part in ([possible], rows) for row in part))


def write_leaderboard(path: Path, lab, graded: Iterable[Graded]) -> None:
    """Learners by what their last predictions reached; equal ones share a place."""
    reached = [(_last_reached(result), learner) for learner, result in graded if result]
    rows = sorted(((value, learner) for value, learner in reached if value is not None), key=lambda r: (-r[0], r[1]))
    values = [value for value, _ in rows]
    table = ([values.index(value) + 1, learner, f"{value:.3f}"] for value, learner in rows)
    _write(path, ["place", "learner", "reached"], table)


def plain(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, in one line."""
    if not isinstance(value, str):
        return value
    text = "".join(sign if sign.isprintable() else " " for sign in value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or value.startswith(_FORMULA) else text


def number(value: float) -> int | float:
    """Points without a needless `.0`."""
    return int(value) if float(value).is_integer() else round(value, 4)


def _grades_row(learner: str, result: Mapping | None, names: list[str], language: str) -> list:
    if result is None:
        told = {
            "en": "not graded: see the messages of the grader",
            "es": "sin calificar: vea los mensajes del programa",
        }
        return [learner, "", "", "", "", "", *[""] * len(names), told[language]]
    points = {task["id"]: number(task["points"]) for task in result["tasks"]}
    boxed = "yes" if result["boxed"] else "NO (trusted)"
    return [
        learner, _points(result), number(result["of"]), number(result["bonus"]), result["outcome"], boxed,
        *(points[name] for name in names), _reasons(result, language),
    ]  # fmt: skip


def _points(result: Mapping) -> int | float:
    return number(result["points"])


def _reasons(result: Mapping, language: str) -> str:
    told = [
        f"{task['id']}: {explain(task['code'], task['values'], language)}"
        for task in result["tasks"]
        if task["points"] < task["of"] and not task["bonus"]
    ]
    if told and result["outcome"] not in ("finished", "no_notebook"):
        told.insert(0, explain_outcome(result["outcome"], result, language))
    return "; ".join(told)


def _last_reached(result: Mapping) -> float | None:
    reached = [task["reached"] for task in result["tasks"] if task["reached"] is not None]
    return reached[-1] if reached else None


def _write(path: Path, header: list, rows: Iterable[list]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([plain(value) for value in header])
    writer.writerows([plain(value) for value in row] for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
