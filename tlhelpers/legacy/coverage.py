"""Does a 95 % interval hold the truth 95 times of 100? A simulation of many test sets with a known truth."""

from collections.abc import Callable

import numpy as np

from tlhelpers.metrics import Estimate


def simulate_coverage(
    interval: Callable[[float, int], Estimate], truth: float, n: int, *, trials: int = 2000, seed: int = 0
) -> float:
    """How often an interval holds the true share, over many test sets of `n` images.

    Args:
        interval: makes an interval of the share that was found and `n`, such as `evaluation.wilson_interval`.
        truth: the share that a model is right on all images that there are, a fraction.
        n: images of a test set.
        trials: how many test sets are drawn.
        seed: of the draws.

    Returns:
        A fraction of the trials.

    Raises:
        ValueError: `truth` is no fraction, or there is nothing to draw.
    """
    if not 0 <= truth <= 1 or n < 1 or trials < 1:
        raise ValueError(f"expected a fraction, n >= 1 and trials >= 1, got {truth}, {n} and {trials}")
    found, how_often = np.unique(np.random.default_rng(seed).binomial(n, truth, trials), return_counts=True)
    held = [estimate.low <= truth <= estimate.high for estimate in (interval(count / n, n) for count in found)]
    return float(how_often[held].sum() / trials)
