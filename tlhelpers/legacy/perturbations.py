"""What attacks need and no framework: arguments checked, budgets on 8 bits, the result.

Attacks work on the levels of 8-bit images, 0 to 255. Each image that a network judges is one that a file can hold, so
what an attack reports is what the saved picture does. Budgets are given as fractions of the range, such as `8 / 255`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import check_images
from tlhelpers.metrics import Estimate, wilson_interval

NORMS = ("linf", "l2")
ROUNDING = 1e-4  # of a level: 8 / 255 is no exact binary fraction


@dataclass(frozen=True)
class AttackResult:
    """What an attack found.

    Attributes:
        images: shape `(n, h, w, 3)`, of the type that was given; floats are whole levels divided by 255.
        originals: the images that were attacked, rounded to 8 bits, likewise.
        labels: `(n,)` int64, the true classes.
        targets: `(n,)` int64, the classes that were aimed at; None for an untargeted attack.
        predicted: `(n,)` int64, the class of each returned image; -1 where an error broke the attack off before.
        steps: `(n,)` int64, gradient steps that were taken.
        epsilon: the budget, as a fraction of the range.
        norm: "linf" or "l2".
    """

    images: np.ndarray
    originals: np.ndarray
    labels: np.ndarray
    targets: np.ndarray | None
    predicted: np.ndarray
    steps: np.ndarray
    epsilon: float
    norm: str

    @property
    def success(self) -> np.ndarray:
        """`(n,)` bool: taken for the target, or, without a target, no longer for the true class."""
        return self.predicted != self.labels if self.targets is None else self.predicted == self.targets

    @property
    def success_rate(self) -> Estimate:
        """Share of successes with its 95 % interval."""
        return wilson_interval(float(self.success.mean()), len(self.success))

    @property
    def perturbation(self) -> np.ndarray:
        """`(n, h, w, 3)` float32: what was added, as a fraction of the range."""
        return (levels(self.images) - levels(self.originals)) / np.float32(255)

    @property
    def size(self) -> np.ndarray:
        """`(n,)` float32: the perturbation's norm, in the units of `epsilon`."""
        return perturbation_size(self.perturbation, self.norm)


def levels(images: np.ndarray) -> np.ndarray:
    """Images, uint8 or float in 0 to 1, as whole levels of 0 to 255, float32."""
    if images.dtype == np.uint8:
        return images.astype(np.float32)
    return np.rint(images.astype(np.float32) * 255)


def perturbation_size(perturbation: np.ndarray, norm: str) -> np.ndarray:
    """Largest change of a value ("linf"), or root of the summed squares ("l2"), of each image: shape `(n,)`."""
    flat = np.abs(perturbation.reshape(len(perturbation), -1))
    return flat.max(1) if norm == "linf" else np.sqrt((flat.astype(np.float64) ** 2).sum(1)).astype(np.float32)


def class_index(name: str | int, class_names: Sequence[str] | None, num_classes: int) -> int:
    """The number of a class, given its number or its name.

    Raises:
        UnknownNameError: no class has this name.
        ValueError: the number is outside 0 to `num_classes - 1`, or a name was given for a model without names.
    """
    if isinstance(name, str):
        if class_names is None:
            raise ValueError(f"expected a class number of 0 to {num_classes - 1}, got {name!r}: the model has no names")
        if name not in class_names:
            raise UnknownNameError("class", name, class_names)
        return list(class_names).index(name)
    if isinstance(name, bool) or int(name) != name or not 0 <= name < num_classes:
        raise ValueError(f"expected a class number of 0 to {num_classes - 1}, got {name}")
    return int(name)


def check_classifier(model) -> None:
    """Refuse what gives no class scores.

    Raises:
        TypeError: such as for a backbone without a head.
    """
    if not (hasattr(model, "num_classes") and hasattr(model, "input_size")):
        raise TypeError(
            f"expected a classifier, a backbone with a head; got {type(model).__name__}. "
            "Take load_source_classifier(NAME), or build_classifier(backbone, head=...)."
        )


def check_steps(steps: int) -> None:
    """Refuse a number of steps below one.

    Raises:
        ValueError: also for what is no whole number.
    """
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise ValueError(f"expected steps as a whole number of at least 1, got {steps}")


def check_epsilon(epsilon: float, norm: str, pixels: int) -> None:
    """Refuse a budget that 8-bit images of `pixels` values cannot use.

    Raises:
        UnknownNameError: for an unknown norm.
        ValueError: for a budget below one level or beyond the range.
    """
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    largest = 1.0 if norm == "linf" else math.sqrt(pixels)
    if not 1 / 255 - 1e-9 <= epsilon <= largest:  # also refuses NaN
        hint = f" For {epsilon:g} levels write {epsilon:g} / 255." if largest < epsilon <= 255 else ""
        raise ValueError(
            f"expected epsilon between one 8-bit step, 1 / 255, and {largest:.4g} (values of 0 to 1), "
            f"got {epsilon:g}.{hint}"
        )


@dataclass(frozen=True)
class AttackPlan:
    """An attack with all arguments checked, its images in levels of 0 to 255; the mirrors carry it out."""

    given: np.ndarray  # as they came, for the type of the result
    originals: np.ndarray  # float32, whole levels
    low: np.ndarray  # float32: smallest and largest whole level that each value may take
    high: np.ndarray
    labels: np.ndarray
    targets: np.ndarray | None
    epsilon: float
    norm: str
    step_sizes: np.ndarray  # in levels
    random_start: bool
    early_stop: bool
    seed: int

    @property
    def radius(self) -> float:
        """The budget in levels."""
        return 255 * self.epsilon + ROUNDING

    @property
    def aims(self) -> np.ndarray:
        """The class whose probability the attack raises (targeted) or lowers."""
        return self.labels if self.targets is None else self.targets

    def batches(self, batch_size: int) -> Iterator[slice]:
        """Parts of the images."""
        for start in range(0, len(self.originals), batch_size):
            yield slice(start, start + batch_size)

    def start(self, part: slice) -> np.ndarray:
        """Where the attack on a part begins, float32: the originals, or a random point in the budget."""
        originals = self.originals[part]
        if not self.random_start:
            return originals.copy()
        rng = np.random.default_rng((self.seed, part.start))
        if self.norm == "linf":
            noise = rng.uniform(-self.radius, self.radius, originals.shape)
        else:
            noise = rng.standard_normal(originals.shape)
            noise *= self.radius / perturbation_size(noise, "l2")[:, None, None, None]
        return np.clip(originals + noise.astype(np.float32), self.low[part], self.high[part])

    def start_of_results(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Levels, classes and steps to be filled in, batch by batch."""
        return self.originals.copy(), np.full(len(self.originals), -1), np.zeros(len(self.originals), np.int64)

    def result(self, found: np.ndarray, after: np.ndarray, steps: np.ndarray) -> AttackResult:
        """The result from levels found `(n, h, w, 3)`, their classes, steps taken."""
        if self.given.dtype == np.uint8:
            images, originals = found.astype(np.uint8), self.given
        else:
            images, originals = ((x / 255).astype(self.given.dtype) for x in (found, self.originals))
        return AttackResult(images, originals, self.labels, self.targets, after, steps, self.epsilon, self.norm)


def plan_attack(
    model, images, labels, targets, targeted, epsilon, norm, steps, step_size, random_start, early_stop, seed
) -> AttackPlan:
    """Check the arguments of `attack`, which describes them, before any work is done."""
    check_classifier(model)
    check_steps(steps)
    given = np.asarray(images)
    originals = np.rint(check_images(given, model.input_size).astype(np.float32))
    if not len(originals):
        raise ValueError("expected at least one image, got none")
    pixels = originals[0].size
    check_epsilon(epsilon, norm, pixels)
    if step_size is not None and not 0 < step_size <= (1 if norm == "linf" else math.sqrt(pixels)):
        raise ValueError(f"expected step_size above 0, in the units of epsilon ({epsilon:g}), got {step_size:g}")
    names = getattr(model, "class_names", None)
    labels = _classes(labels, names, model.num_classes, len(originals), "labels")
    targeted = targets is not None if targeted is None else targeted
    if targets is not None and not targeted:
        raise ValueError("expected no targets for an untargeted attack; leave targeted=False away, or the targets")
    if targeted and targets is None:
        targets = draw_targets(labels, model.num_classes, seed)
    if targets is not None:
        targets = _classes(targets, names, model.num_classes, len(originals), "targets")
        if (same := np.flatnonzero(targets == labels)).size:
            shown = names[labels[same[0]]] if names else labels[same[0]]
            raise ValueError(f"expected a target other than the label; image {same[0]} has {shown!r} for both")
    radius = 255 * epsilon + ROUNDING if norm == "linf" else 255
    exact = given.astype(np.float32) * 255 if given.dtype.kind == "f" else originals  # the budget is kept from these
    low = np.ceil(np.maximum(exact - radius, 0) - ROUNDING)
    high = np.floor(np.minimum(exact + radius, 255) + ROUNDING)
    sizes = 255 * epsilon * np.arange(steps, 0, -1) / steps if step_size is None else np.full(steps, 255 * step_size)
    return AttackPlan(
        given,
        originals,
        low,
        high,
        labels,
        targets,
        epsilon,
        norm,
        sizes.astype(np.float32),
        random_start,
        early_stop,
        seed,
    )


def check_gradient_arguments(model, images, classes) -> tuple[np.ndarray, np.ndarray]:
    """Images in levels, float32, and class numbers, int64; errors as `logit_gradient` describes them."""
    check_classifier(model)
    images = check_images(np.asarray(images), model.input_size).astype(np.float32)
    names = getattr(model, "class_names", None)
    return images, _classes(classes, names, model.num_classes, len(images), "classes")


def draw_targets(labels: np.ndarray, num_classes: int, seed: int = 0) -> np.ndarray:
    """For each label another class at random: shape `(n,)`, int64."""
    labels = np.asarray(labels)
    shift = np.random.default_rng(seed).integers(1, num_classes, len(labels))
    return (labels + shift) % num_classes


def _classes(given, names, num_classes: int, n: int, what: str) -> np.ndarray:
    one = isinstance(given, str) or np.ndim(given) == 0
    values = [given] * n if one else list(given)
    if len(values) != n:
        raise ValueError(f"expected {what} for {n} images, got {len(values)}")
    return np.array([class_index(value, names, num_classes) for value in values], np.int64)
