"""Tables of grades: our own, and what Moodle and Canvas import. No cell is a formula, whatever a learner is called."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from tlgrade.reasons import explain, explain_left_out, explain_outcome
from tlhelpers.errors import TlhelpersError
from tlhelpers.paths import atomic_path

LOOK_AT = {
    "same": {"en": "the same predictions in {names}", "es": "las mismas predicciones en {names}"},
    "order": {"en": "{task} is no worse than {other}", "es": "{task} no es peor que {other}"},
    "copies": {"en": "more than one cell {task}", "es": "más de una celda {task}"},
}
_FORMULA = tuple("=+-@\t\r\n|%")
Graded = tuple[str, Mapping | None]  # a learner and the result; None where it could not be graded


@dataclass(frozen=True)
class Person:
    """Who a learner is where the grades go; what is not known is empty.

    Attributes:
        name: As Moodle and Canvas show it.
        participant: Moodle's number of the participant of an assignment.
        id_number: Moodle's ID number of a user.
        canvas_id: Canvas's number of a user.
        login: Canvas's SIS login.
    """

    name: str = ""
    participant: str = ""
    id_number: str = ""
    canvas_id: str = ""
    login: str = ""


ROSTER = ("submission", *(field.name for field in fields(Person)))


def identify(learner: str, roster: Mapping[str, Person]) -> Person:
    """Who handed in, from the roster, or else from the name that Moodle or Canvas gave the folder or file.

    Moodle: `Ana García_1234567_assignsubmission_file`. Canvas: `garciaana_LATE_12345_67890_pets_lab`. Any other name is
    taken for the ID number and the login.
    """
    if learner in roster:
        return roster[learner]
    moodle = re.fullmatch(r"(.+)_([0-9]+)_assignsubmission_(?:file|onlinetext)_?", learner)
    if moodle:
        return Person(name=moodle[1], participant=moodle[2])
    canvas = re.fullmatch(r"([^_]+)(?:_LATE)?_([0-9]+)_[0-9]+_.+", learner)
    if canvas:
        return Person(name=canvas[1], canvas_id=canvas[2])
    return Person(name=learner, id_number=learner, login=learner)


def read_roster(path: Path) -> dict[str, Person]:
    """A table of CSV with the columns `ROSTER`, of which all but the first may be missing.

    Raises:
        TlhelpersError: No such file, no CSV, or other columns.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise TlhelpersError(f"{path}: expected a roster in CSV, came: {error}.") from None
    came = set(rows[0]) if rows else set()
    if "submission" not in came or not came <= set(ROSTER):
        raise TlhelpersError(f"{path}: expected columns among {', '.join(ROSTER)}, came {', '.join(map(str, came))}.")
    return {row["submission"]: Person(**{key: row[key] or "" for key in row if key != "submission"}) for row in rows}


def write_grades(path: Path, lab, graded: Iterable[Graded], language: str) -> None:
    """One line a learner: points, points of each task, how the run ended, why points were lost, what to look at."""
    names = [task["id"] for task in lab.tasks]
    header = ["learner", "points", "of", "bonus_points", "run", "boxed", *names, "reasons", "look_at"]
    _write(path, header, (_grades_row(learner, result, lab, language) for learner, result in graded))


def write_moodle(path: Path, lab, graded: Iterable[Graded], language: str, roster: Mapping[str, Person]) -> None:
    """For the assignment's *Upload grading worksheet*, or Grades > Import > CSV file with `ID number`."""
    header = ["Identifier", "Full name", "ID number", "Grade", "Maximum grade", "Feedback comments"]

    def rows() -> Iterator[list]:
        for learner, result in graded:
            person = identify(learner, roster)
            if result:
                identifier = f"Participant {person.participant}" if person.participant else ""
                grade = [_points(result), number(result["of"]), _reasons(result, language)]
                yield [identifier, person.name, person.id_number, *grade]

    _write(path, header, rows())


def write_canvas(path: Path, lab, graded: Iterable[Graded], roster: Mapping[str, Person]) -> None:
    """For Grades > Import: Canvas matches its own `ID`, or else the login."""
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", lab.title["en"]]
    possible = ["    Points Possible", "", "", "", "", lab.points]

    def rows() -> Iterator[list]:
        yield possible
        for learner, result in graded:
            person = identify(learner, roster)
            if result:
                yield [person.name, person.canvas_id, "", person.login, "", _points(result)]

    _write(path, header, rows())


def write_left_out(path: Path, left_out: Iterable, language: str) -> None:
    """Every file in the folder of submissions that no result comes from, and why."""
    rows = ([entry.path, explain_left_out(entry.reason, language)] for entry in left_out)
    _write(path, ["file", "reason"], rows)


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


def _grades_row(learner: str, result: Mapping | None, lab, language: str) -> list:
    if result is None:
        told = {
            "en": "not graded: see the messages of the grader",
            "es": "sin calificar: vea los mensajes del programa",
        }
        return [learner, "", "", "", "", "", *[""] * len(lab.tasks), told[language], ""]
    points = {task["id"]: number(task["points"]) for task in result["tasks"]}
    boxed = "yes" if result["boxed"] else "NO (trusted)"
    return [
        learner, _points(result), number(result["of"]), number(result["bonus"]), result["outcome"], boxed,
        *(points[task["id"]] for task in lab.tasks), _reasons(result, language), _look_at(result, lab, language),
    ]  # fmt: skip


def _look_at(result: Mapping, lab, language: str) -> str:
    """What a person should look at: points are a matter of bounds, and one good model passes several of them."""
    found = []
    by_content: dict[str, list[str]] = {}
    for name, content in result["files"].items():
        by_content.setdefault(content, []).append(name)
    for names in by_content.values():
        if len(names) > 1:
            found.append(LOOK_AT["same"][language].format(names=", ".join(sorted(names))))
    reached = {task["id"]: task["reached"] for task in result["tasks"] if task["reached"] is not None}
    for task in lab.tasks:
        less = task.get("below")  # the task whose result should be better than this one's
        if less in reached and reached.get(task["id"], -1) >= reached[less]:
            found.append(LOOK_AT["order"][language].format(task=task["id"], other=less))
    found += [LOOK_AT["copies"][language].format(task=name) for name in result["copies"]]
    return "; ".join(found)


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
