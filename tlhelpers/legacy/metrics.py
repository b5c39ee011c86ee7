"""The intervals that the lessons not yet rewritten print, beside all else of `tlhelpers.metrics`.

With two or three seeds they cover the truth 84 to 90 times of 100, not 95. New code takes those of `tlhelpers.metrics`;
here they stay until their lessons are measured anew.
"""

import numpy as np

from tlhelpers.metrics import *  # noqa: F403
from tlhelpers.metrics import Estimate, mean_interval, wilson_interval


def accuracy_estimate(accuracies: list[float], n_test: int) -> Estimate:
    """Mean accuracy of several seeds on one test set of `n_test` images.

    The seeds share their test set, so they do not make it larger: the interval is that of one test of `n_test` images
    at the mean accuracy, widened where the seeds spread more than that.
    """
    mean = float(np.mean(accuracies))
    sampling = wilson_interval(mean, n_test)
    if len(accuracies) < 2:
        return sampling
    seeds = mean_interval(accuracies)
    return Estimate(mean, max(0.0, min(sampling.low, seeds.low)), min(1.0, max(sampling.high, seeds.high)))


def paired_difference(right_a: np.ndarray, right_b: np.ndarray) -> Estimate:
    """How much more often `b` is right than `a` on the same test images, with a 95 % interval.

    Args:
        right_a: shape `(seeds, n)` or `(n,)`, bool: whether model a was right on each image, once per seed.
        right_b: the same for model b.

    Returns:
        The difference of the accuracies (a fraction). The interval is a bootstrap over images and over seeds (Efron
        and Tibshirani, 1993), since both could have come out otherwise.
    """
    difference = np.atleast_2d(right_b).astype(float) - np.atleast_2d(right_a).astype(float)
    seeds, n = difference.shape
    rng = np.random.default_rng(0)
    draws = [difference[rng.integers(0, seeds, seeds)].mean(0)[rng.integers(0, n, n)].mean() for _ in range(2000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(difference.mean()), float(low), float(high))
