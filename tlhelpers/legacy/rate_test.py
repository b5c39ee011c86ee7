"""Which learning rates suit a model: a short run in which the rate grows at each step, while the loss is watched."""

import math
from dataclasses import dataclass

import numpy as np

from tlhelpers.legacy.training import Trainer, iterate_batches


@dataclass(frozen=True)
class RateTest:
    """Losses of a run in which the learning rate grew by the same factor at each step.

    Attributes:
        rates: learning rates, rising; shape `(steps,)`.
        losses: mean cross-entropy of the batch before each step, in nats; shape `(steps,)`.
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def smooth(self) -> np.ndarray:
        """The losses without the noise of single batches: each the mean of up to nine neighbours."""
        reach = min(4, (len(self.losses) - 1) // 2)
        return np.array([self.losses[max(0, k - reach) : k + reach + 1].mean() for k in range(len(self.losses))])

    @property
    def lowest(self) -> float:
        """The rate where the smoothed loss is lowest; beyond it steps are too large."""
        return float(self.rates[self.smooth.argmin()])

    @property
    def advice(self) -> float:
        """A third of `lowest`: the loss still fell there, and a longer run has room."""
        return self.lowest / 3


def check_range(low: float, high: float, steps: int) -> None:
    """Refuse a range that does not rise, or too few steps to smooth."""
    if not 0 < low < high < math.inf or steps < 5:
        raise ValueError(f"expected 0 < low < high and at least 5 steps, got {low}, {high} and {steps}")


def run_rate_test(
    trainer: Trainer, x: np.ndarray, y: np.ndarray, *, low: float, high: float, steps: int, batch_size: int, seed: int
) -> RateTest:
    """Train with rates from `low` to `high`, and put the weights back; see `rate_range_test` of either framework."""
    check_range(low, high, steps)
    y, rng = np.asarray(y), np.random.default_rng(seed)
    before, losses = trainer.get_weights(), []
    rates = np.geomspace(low, high, steps)
    try:
        while len(losses) < steps:
            for batch_x, batch_y in iterate_batches(x, y, min(batch_size, len(x)), rng, augment=False):
                loss = float(trainer.step(batch_x, batch_y, float(rates[len(losses)]))[0])
                if not math.isfinite(loss) or loss > 20 + 4 * max(losses, default=loss):
                    return RateTest(rates[: len(losses)], np.array(losses))
                losses.append(loss)
                if len(losses) == steps:
                    break
    finally:
        trainer.set_weights(before)
    return RateTest(rates, np.array(losses))
