"""What ideal images need and no framework: arguments checked, the noise to start from, the result."""

from dataclasses import dataclass

import numpy as np

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.perturbations import check_classifier, check_steps, class_index

OBJECTIVES = ("logit", "probability")
SPREAD = {True: 0.01, False: 0.5}  # of the first noise: faint where frequencies are weighted, visible where pixels are

# Directions in which the colours of photos vary, the strongest first, one a column: brightness, blue to yellow, green
# to purple. Measured on ImageNet by Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable Image Parameterizations"
# (Distill, 2018), and divided by the longest column.
COLOUR_DIRECTIONS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32) / 0.462


@dataclass(frozen=True)
class IdealImage:
    """An image that a network takes for a class, found by climbing the class's score.

    Attributes:
        image: `(size, size, 3)` uint8.
        target: the class's number.
        class_name: its name, None where the model has no names.
        probability: what the network gives the class on `image`, after rounding to 8 bits; a fraction.
        history: by name, an array of shape `(steps,)`: `score` (what was climbed), `total_variation`, `loss` (what was
            minimised) and `probability`, of the shifted image before each step.
        frames: `(k, size, size, 3)` uint8, the image on its way, the noise first.
        frame_steps: `(k,)` int64, after how many steps.
    """

    image: np.ndarray
    target: int
    class_name: str | None
    probability: float
    history: dict[str, np.ndarray]
    frames: np.ndarray
    frame_steps: np.ndarray


@dataclass(frozen=True)
class IdealPlan:
    """The arguments of `ideal_image`, checked, and all that is drawn at random, the same for both frameworks."""

    size: int
    target: int
    class_name: str | None
    objective: str
    total_variation: float
    fourier: bool
    lr: float
    start: np.ndarray  # float32: (size, size, 3), or with `fourier` (2, 3, size, size // 2 + 1): real, imaginary parts
    shifts: np.ndarray  # (steps, 2) int: rows and columns by which the image is rolled in each step
    frame_steps: np.ndarray

    def spectrum_scale(self) -> np.ndarray:
        """`(size, size // 2 + 1)` float32: how strong each frequency is in photos, inversely to its height."""
        frequency = np.hypot(np.fft.fftfreq(self.size)[:, None], np.fft.rfftfreq(self.size)[None])
        return (1 / np.maximum(frequency, 1 / self.size)).astype(np.float32)


@dataclass
class Climb:
    """What is written down on the way."""

    plan: IdealPlan
    history: list[tuple[float, ...]]
    frames: list[np.ndarray]

    def note(self, score: float, total_variation: float, probability: float) -> None:
        """The terms of one step."""
        loss = -score + self.plan.total_variation * total_variation
        self.history.append((score, total_variation, loss, probability))

    def broken_off(self, step: int) -> tuple[str, IdealImage | None]:
        """Message and last good result for a gradient of `step` that is not finite."""
        message = (
            f"expected finite gradients, got NaN or infinity in step {step}; look for NaN among the model's weights, "
            f"or lower lr ({self.plan.lr:g}). The last good image is in this error's last_good."
        )
        return message, self.result(self.history[-1][-1]) if self.history else None

    def result(self, probability: float) -> IdealImage:
        """The last frame with all that led to it, and its probability as an 8-bit image."""
        names = ("score", "total_variation", "loss", "probability")
        history = dict(zip(names, np.array(self.history).T, strict=True))
        steps = self.plan.frame_steps[: len(self.frames)]
        target, name = self.plan.target, self.plan.class_name
        return IdealImage(self.frames[-1], target, name, probability, history, np.stack(self.frames), steps)


def plan_ideal_image(model, target, steps, lr, objective, total_variation, jitter, fourier, frames, seed) -> IdealPlan:
    """Check the arguments of `ideal_image`, which describes them, before any work is done."""
    check_classifier(model)
    check_steps(steps)
    names, size = getattr(model, "class_names", None), model.input_size
    target = class_index(target, names, model.num_classes)
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    if not (np.isfinite(lr) and lr > 0):
        raise ValueError(f"expected lr above 0, got {lr}")
    if not (np.isfinite(total_variation) and total_variation >= 0):
        raise ValueError(f"expected total_variation, a weight, of at least 0, got {total_variation}")
    if int(jitter) != jitter or not 0 <= jitter < size:
        raise ValueError(f"expected jitter in whole pixels, 0 to {size - 1}, got {jitter}")
    if frames < 2:
        raise ValueError(f"expected at least two frames, the first and the last, got {frames}")
    rng = np.random.default_rng(seed)
    shape = (2, 3, size, size // 2 + 1) if fourier else (size, size, 3)
    start = (SPREAD[fourier] * rng.standard_normal(shape)).astype(np.float32)
    shifts = rng.integers(-jitter, jitter + 1, (steps, 2))
    frame_steps = np.unique(np.rint(np.geomspace(1, steps + 1, frames)).astype(np.int64) - 1)
    return IdealPlan(
        size, target, names[target] if names else None, objective, total_variation, fourier, lr, start, shifts,
        frame_steps,
    )  # fmt: skip
