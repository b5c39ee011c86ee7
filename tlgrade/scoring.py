"""Scores what a lab's notebook left behind: predictions, and what its functions return. Trusted.

Nothing here runs, unpickles or imports anything of a learner's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from tlgrade.cases import CASES, UNORDERED, make_cases, reference
from tlhelpers.lab.alone import equal_json
from tlhelpers.lab.predictions import LabError, PredictionsError, find_problems, parse_predictions, three_breeds
from tlhelpers.metrics import Estimate, wilson_interval

__all__ = [
    "CASES", "MEASURES", "LabError", "PredictionsError", "equal_json", "is_right", "make_cases", "parse_predictions",
    "points_for", "read_definition", "reference", "refuse_problems", "score_predictions", "split_in_halves",
]  # fmt: skip

MEASURES = ("top1", "macro", "top3", "species")


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
    refuse_problems(rows, list(labels), classes)
    breeds, species = classes["breeds"], classes["species"]
    truth = np.array([labels[row["id"]] for row in rows])
    if measure == "species":
        right = np.array([row["species"] == species[label] for row, label in zip(rows, truth, strict=True)])
    else:
        depth = 3 if measure == "top3" else 1
        right = np.array([breeds[label] in three_breeds(row)[:depth] for row, label in zip(rows, truth, strict=True)])
    if measure != "macro":
        return wilson_interval(float(right.mean()), len(right))
    counts = np.bincount(truth, minlength=len(breeds))
    present = counts > 0
    own = np.bincount(truth, weights=right, minlength=len(breeds))[present] / counts[present]
    # A mean of shares is as uncertain as one share of so many images (where breeds are balanced, of all).
    equivalent = present.sum() ** 2 / np.sum(1 / counts[present])
    return wilson_interval(min(1.0, float(own.mean())), max(1, int(equivalent)))


def refuse_problems(rows: Sequence[Mapping[str, str]], ids: Sequence[str], classes: Mapping) -> None:
    """Refuses rows that `find_problems` finds something wrong with.

    Raises:
        PredictionsError: With all that is wrong.
    """
    problems = find_problems(rows, ids, classes)
    if problems:
        raise PredictionsError(problems)


def split_in_halves(labels: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """The hidden images whose result is told to learners, and those that the grade comes from.

    Ids are random, so every second one of each breed is as good as drawn. With one half alone nobody learns, hand-in by
    hand-in, which answers the grade would like.
    """
    halves: tuple[dict[str, int], dict[str, int]] = ({}, {})
    seen: dict[int, int] = {}
    for name in sorted(labels):
        breed = labels[name]
        halves[seen.get(breed, breed) % 2][name] = breed  # where a breed has an odd number, the larger half takes turns
        seen[breed] = seen.get(breed, breed) + 1
    return halves


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


def is_right(cases: str, came: object, arguments: list) -> bool:
    """Whether what a function returned, as JSON has it, is the right answer to a case of `make_cases`."""
    expected = reference(cases, arguments)
    if cases in UNORDERED and isinstance(came, list):
        numbers = {value for value in came if type(value) in (int, float)}
        came = sorted(numbers) if all(type(value) in (int, float) for value in came) else came
    return equal_json(came, expected)


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
