"""Scores what a lab's notebook left behind: predictions, and what its functions return. Trusted, and run on a grader's
side only; a learner's notebook uses `find_problems`, so that what it hands in is refused early.

Nothing here runs, unpickles or imports anything of a learner's.
"""

import csv
import difflib
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tlhelpers.errors import TlhelpersError
from tlhelpers.evaluation import Estimate, wilson_interval
from tlhelpers.lab_cases import CASES, make_cases, reference

__all__ = [
    "CASES", "COLUMNS", "MEASURES", "LabError", "PredictionsError", "Problem", "equal_json", "find_problems",
    "make_cases", "parse_predictions", "points_for", "read_definition", "reference", "score_predictions",
]  # fmt: skip

COLUMNS = ("id", "first", "second", "third", "species")
MEASURES = ("top1", "macro", "top3", "species")
MAX_ROWS = 1_000_000
SHOWN = 40  # characters of a learner's text that a message repeats


class LabError(TlhelpersError):
    """A lab's definition or data that are not as they should be."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with predictions, in both languages."""

    en: str
    es: str

    def text(self, language: str) -> str:
        """The problem in a language, "en" or "es"."""
        return {"en": self.en, "es": self.es}[language]


class PredictionsError(TlhelpersError):
    """Predictions that cannot be scored; `problems` says why, in both languages."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.en for problem in problems))


def parse_predictions(text: str) -> list[dict[str, str]]:
    """Rows of a predictions file, a dictionary of `COLUMNS` each.

    Raises:
        PredictionsError: Another header, a row of another length, or no CSV.
    """
    try:
        lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise PredictionsError([_no_table(str(error))]) from None
    header = ",".join(lines[0]) if lines else ""
    if header != ",".join(COLUMNS):
        wanted, came = ",".join(COLUMNS), _show(header)
        en = f"expected the first line {wanted}, came {came}"
        es = f"se esperaba la primera línea {wanted} y se encontró {came}"
        raise PredictionsError([Problem(en, es)])
    if len(lines) > MAX_ROWS:
        raise PredictionsError([_no_table(f"{len(lines)} > {MAX_ROWS}")])
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(COLUMNS):
            en = f"expected {len(COLUMNS)} fields in line {number}, came {len(line)}"
            es = f"se esperaban {len(COLUMNS)} campos en la línea {number} y hay {len(line)}"
            raise PredictionsError([Problem(en, es)])
        rows.append(dict(zip(COLUMNS, line, strict=True)))
    return rows


def find_problems(rows: Sequence[Mapping[str, str]], ids: Sequence[str], classes: Mapping) -> list[Problem]:
    """What is wrong with rows of predictions; empty when they can be scored.

    Args:
        rows: As from `parse_predictions`.
        ids: Those of the hidden images.
        classes: With `breeds`, their names, as in `classes.json`.
    """
    problems, wanted, came = [], set(ids), Counter(row["id"] for row in rows)
    missing, unknown = [name for name in ids if name not in came], [name for name in came if name not in wanted]
    repeated = [name for name, count in came.items() if count > 1]
    if missing:
        en = f"no row for {len(missing)} of {len(ids)} images, such as {missing[0]}"
        es = f"no hay fila para {len(missing)} de las {len(ids)} imágenes; por ejemplo, {missing[0]}"
        problems.append(Problem(en, es))
    if unknown:
        en = f"ids that no image has ({len(unknown)}), such as {_show(unknown[0])}"
        es = f"hay identificadores que no son de ninguna imagen ({len(unknown)}); por ejemplo, {_show(unknown[0])}"
        problems.append(Problem(en, es))
    if repeated:
        en = f"more than one row for {len(repeated)} images, such as {_show(repeated[0])}"
        es = f"hay más de una fila para {len(repeated)} imágenes; por ejemplo, {_show(repeated[0])}"
        problems.append(Problem(en, es))
    return problems + _find_wrong_breeds(rows, classes["breeds"]) + _find_wrong_species(rows)


def _find_wrong_breeds(rows: Sequence[Mapping[str, str]], breeds: Sequence[str]) -> list[Problem]:
    known, problems = set(breeds), []
    strange = Counter(name for row in rows for name in _three(row) if name not in known)
    if strange:
        name = next(iter(strange))
        close = difflib.get_close_matches(name[:SHOWN], breeds, n=1)
        ask = (f" (did you mean {close[0]!r}?)", f" (¿quería decir {close[0]!r}?)") if close else ("", "")
        en = f"names that are no breed of this data set ({strange.total()} times), such as {_show(name)}{ask[0]}"
        es = f"hay nombres que no son razas de este conjunto ({strange.total()} veces), como {_show(name)}{ask[1]}"
        problems.append(Problem(en, es))
    doubled = [row for row in rows if len(set(_three(row))) < 3]
    if doubled:
        name = _show(doubled[0]["id"])
        en = f"the same breed twice in {len(doubled)} rows, such as that of {name}; name three different ones"
        es = f"hay {len(doubled)} filas con una raza repetida, como la de {name}; indique tres razas distintas"
        problems.append(Problem(en, es))
    return problems


def _find_wrong_species(rows: Sequence[Mapping[str, str]]) -> list[Problem]:
    strange = [row["species"] for row in rows if row["species"] not in ("cat", "dog", "")]
    if not strange:
        return []
    en = f'expected the species "cat", "dog" or nothing, came {_show(strange[0])}'
    es = f'como especie se esperaba "cat", "dog" o nada y se encontró {_show(strange[0])}'
    return [Problem(en, es)]


def score_predictions(
    rows: Sequence[Mapping[str, str]], labels: Mapping[str, int], classes: Mapping, measure: str
) -> Estimate:
    """What predictions reach on the hidden images.

    Args:
        rows: As from `parse_predictions`.
        labels: For each id the index of its breed.
        classes: With `breeds` (names) and `species` (of each breed "cat" or "dog"), as in `classes.json`.
        measure: "top1", "top3" (the breed is among the three), "macro" (the mean of the breeds' own accuracies) or
            "species" (of the column; an empty one is wrong).

    Returns:
        A fraction with its 95 % interval.

    Raises:
        PredictionsError: The rows are not as `find_problems` wants them.
        ValueError: No such measure, or no labels.
    """
    if measure not in MEASURES or not labels:
        raise ValueError(f"expected a measure among {MEASURES} and at least one label, got {measure!r}, {len(labels)}")
    problems = find_problems(rows, list(labels), classes)
    if problems:
        raise PredictionsError(problems)
    breeds, species = classes["breeds"], classes["species"]
    truth = np.array([labels[row["id"]] for row in rows])
    if measure == "species":
        right = np.array([row["species"] == species[label] for row, label in zip(rows, truth, strict=True)])
    else:
        depth = 3 if measure == "top3" else 1
        right = np.array([breeds[label] in _three(row)[:depth] for row, label in zip(rows, truth, strict=True)])
    if measure != "macro":
        return wilson_interval(float(right.mean()), len(right))
    counts = np.bincount(truth, minlength=len(breeds))
    present = counts > 0
    own = np.bincount(truth, weights=right, minlength=len(breeds))[present] / counts[present]
    # A mean of shares is as uncertain as one share of so many images (where breeds are balanced, of all).
    equivalent = present.sum() ** 2 / np.sum(1 / counts[present])
    return wilson_interval(min(1.0, float(own.mean())), max(1, int(equivalent)))


def points_for(task: Mapping, dataset: str, value: float) -> float:
    """The points that a fraction is worth: those of the highest step of the data set that it reaches, else 0.

    Raises:
        LabError: The task has no steps for this data set.
    """
    if dataset not in task["steps"]:
        raise LabError(
            f"expected steps for {dataset!r} in task {task['id']!r}, came {', '.join(task['steps'])}. "
            "Add them to the lab's definition."
        )
    return float(max((points for bound, points in task["steps"][dataset] if value >= bound), default=0))


def equal_json(came: object, expected: object, tolerance: float = 1e-6) -> bool:
    """Whether two values as `json.loads` gives them are equal: numbers to a tolerance, all else exactly.

    `True` is not 1, and NaN equals nothing. A list of another length, or an object with other keys, is unequal.
    """
    if isinstance(expected, bool) or expected is None:
        return came is expected
    if isinstance(expected, int | float):
        if isinstance(came, bool) or not isinstance(came, int | float):
            return False
        try:
            return math.isclose(came, expected, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # an integer that no float holds
            return False
    if type(came) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(came) == len(expected) and all(map(lambda a, b: equal_json(a, b, tolerance), came, expected))
    if isinstance(expected, dict):
        return came.keys() == expected.keys() and all(equal_json(came[k], expected[k], tolerance) for k in expected)
    return came == expected


def read_definition(path: Path) -> dict:
    """A lab's definition, `lab/NAME.yaml`, checked.

    Raises:
        LabError: No such file, no YAML, or a task without what its kind needs.
    """
    try:
        definition = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LabError(f"{path}: expected a lab's definition, came: {error}.") from None
    seen = set()
    try:
        for task in [*definition["tasks"], *definition.get("bonus", [])]:
            problem = _wrong_with(task, definition["datasets"], seen)
            if problem:
                raise LabError(f"{path}: task {task['id']!r}: {problem}.")
    except (AttributeError, KeyError, TypeError) as error:  # something is missing, or of another kind
        raise LabError(f"{path}: expected a lab's definition as in lab/pets.yaml, came one without: {error}.") from None
    return definition


def _wrong_with(task: Mapping, datasets: Sequence[str], seen: set[str]) -> str | None:
    if task["id"] in seen:
        return "expected an id of its own, came one twice"
    seen.add(task["id"])
    if task["kind"] == "function":
        return None if task["cases"] in CASES else f"expected cases among {', '.join(CASES)}, came {task['cases']!r}"
    if task["kind"] != "predictions" or task["measure"] not in MEASURES:
        return "expected the kind function, or predictions with a measure among " + ", ".join(MEASURES)
    for dataset in datasets:
        steps = task["steps"].get(dataset, [])
        if not steps or steps != sorted(steps) or steps[-1][1] != task["points"]:
            return f"expected rising steps of {dataset} that end at {task['points']} points, came {steps}"
    return None


def _three(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["first"], row["second"], row["third"]


def _show(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def _no_table(detail: str) -> Problem:
    return Problem(f"expected a table in CSV, came something else: {detail}", f"se esperaba una tabla CSV: {detail}")
