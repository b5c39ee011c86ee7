"""Cases for the functions that a lab asks for, and the answers that are right. Trusted, and for the grader only.

Cases come from a random generator whose seed learners do not know, so answers cannot be typed in. Each generator begins
with the corners that a hasty solution forgets: a class without images, ties, a certain answer.
"""

import math
from collections.abc import Callable

import numpy as np

Json = object
SMALL_IMAGE = 6  # pixels; defects are seen as well on a small picture, and the case stays short


def make_cases(name: str, rng: np.random.Generator) -> list[dict]:
    """Cases of one of `CASES`: a list of `{"arguments": [...]}`, positional arguments as JSON has them."""
    return [{"arguments": arguments} for arguments in CASES[name][0](rng)]


def reference(name: str, arguments: list) -> Json:
    """The right answer to a case of `make_cases`, as JSON has it."""
    return CASES[name][1](*arguments)


def _labels(rng: np.random.Generator, n: int, num_classes: int) -> list[int]:
    return rng.integers(0, num_classes, n).tolist()


def _probabilities(rng: np.random.Generator, n: int, num_classes: int) -> list[list[float]]:
    return rng.dirichlet(np.full(num_classes, 0.5), n).round(9).tolist()


def _balance_cases(rng: np.random.Generator) -> list[list]:
    sizes = [(12, 3), (40, 16), (200, 37)]
    return [[[0, 0, 2], 4], *([_labels(rng, n, k), k] for n, k in sizes)]


def _balance(labels: list[int], num_classes: int) -> list[int]:
    return np.bincount(labels, minlength=num_classes).tolist()


def _defect_cases(rng: np.random.Generator) -> list[list]:
    cases = []
    for n in (7, 11, 14):
        images = rng.integers(0, 256, (n, SMALL_IMAGE, SMALL_IMAGE, 3), np.uint8)
        where = rng.permutation(np.arange(1, n))
        images[where[0]] = rng.integers(0, 256, 3)  # one colour all over, and not only grey
        images[max(where[1:3])] = images[min(where[1:3])]  # the later one is the copy
        images[where[3]] = images[0]
        images[where[3], 0, 0, 0] ^= 1  # nearly a copy, and so no copy
        images[where[4], :1] = images[where[4], -1:] = images[where[4], :, :1] = images[where[4], :, -1:] = 7  # a frame
        images[where[5]] = images[0, ::-1, ::-1]  # the same pixels elsewhere: the same sum, and no copy
        if n > 9:
            images[max(where[6:8])] = images[min(where[6:8])]
        cases.append([images.tolist()])
    return [*cases, [rng.integers(0, 256, (4, SMALL_IMAGE, SMALL_IMAGE, 3), np.uint8).tolist()]]


def _defects(images: list) -> list[int]:
    seen, found = set(), []
    for i, image in enumerate(np.array(images, np.uint8)):
        content = image.tobytes()
        if content in seen or (image == image[0, 0]).all():
            found.append(i)
        seen.add(content)
    return found


def _top_k_cases(rng: np.random.Generator) -> list[list]:
    return [
        [_labels(rng, n, classes), _probabilities(rng, n, classes), k]
        for n, classes, k in ((1, 3, 1), (20, 5, 1), (30, 16, 3), (40, 37, 5), (12, 4, 4))
    ]


def _top_k(labels: list[int], probabilities: list[list[float]], k: int) -> float:
    best = np.argsort(-np.array(probabilities), axis=1, kind="stable")[:, :k]
    return float(np.mean([label in row for label, row in zip(labels, best.tolist(), strict=True)]))


def _prediction_cases(rng: np.random.Generator) -> list[list]:
    """True and predicted labels of unbalanced classes, of which two never occur: the last, and one in the middle."""
    cases = []
    for n, classes in ((12, 4), (40, 5), (150, 16)):
        labels = rng.choice(np.delete(np.arange(classes - 1), 1), n, p=rng.dirichlet(np.ones(classes - 2)))
        wrong = rng.random(n) < 0.4
        predicted = np.where(wrong, rng.integers(0, classes, n), labels)
        predicted[0] = classes - 1  # an answer that is never right: its class has no image
        cases.append([labels.tolist(), predicted.tolist(), classes])
    return cases


def _macro(labels: list[int], predicted: list[int], num_classes: int) -> float:
    right = np.array(labels) == np.array(predicted)
    own = [right[np.array(labels) == k].mean() for k in range(num_classes) if k in labels]
    return float(np.mean(own))


def _confused_cases(rng: np.random.Generator) -> list[list]:
    """As `_prediction_cases`, with one pair of classes confused more often than every other."""
    cases = []
    for labels, predicted, classes in _prediction_cases(rng):
        true, answer = (int(k) for k in rng.permutation(classes)[:2])
        most = _confused(labels, predicted, classes)[2] + 1
        cases.append([labels + [true] * most, predicted + [answer] * most, classes])
    return cases


def _confused(labels: list[int], predicted: list[int], num_classes: int) -> list[int]:
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, predicted), 1)
    np.fill_diagonal(counts, 0)
    true, answer = divmod(int(counts.argmax()), num_classes)
    return [true, answer, int(counts[true, answer])]


def _interval_cases(rng: np.random.Generator) -> list[list]:
    totals = [10, 111, int(rng.integers(20, 200)), int(rng.integers(200, 4000))]
    return [[0, 5], [30, 30], *([int(rng.integers(1, total)), total] for total in totals)]


def _interval(right: int, total: int) -> list[float]:
    share, z = right / total, 1.96
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return [max(0.0, centre - half), min(1.0, centre + half)]


def _nothing_cases(rng: np.random.Generator) -> list[list]:
    names = [f"breed {k}" for k in rng.permutation(37).tolist()]
    corners = [[[[0.5, 0.5], [0.7, 0.3]], ["cat", "dog"], 0.7], [[[0.2, 0.8]], ["cat", "dog"], 0.0]]
    return [*corners, *([_probabilities(rng, n, k), names[:k], t] for n, k, t in ((12, 4, 0.6), (25, 16, 0.3)))]


def _nothing(probabilities: list[list[float]], class_names: list[str], threshold: float) -> list[str | None]:
    answers = []
    for row in probabilities:
        best = int(np.argmax(row))
        answers.append(class_names[best] if row[best] >= threshold else None)
    return answers


CASES: dict[str, tuple[Callable[[np.random.Generator], list[list]], Callable[..., Json]]] = {
    "class_balance": (_balance_cases, _balance),
    "find_defects": (_defect_cases, _defects),
    "top_k_accuracy": (_top_k_cases, _top_k),
    "macro_accuracy": (_prediction_cases, _macro),
    "most_confused": (_confused_cases, _confused),
    "accuracy_interval": (_interval_cases, _interval),
    "name_or_nothing": (_nothing_cases, _nothing),
}
UNORDERED = frozenset({"find_defects"})  # nobody asks for an order: a set, or any order, is right
