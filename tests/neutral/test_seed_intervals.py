"""Intervals of accuracies and of differences over a few seeds: how often they hold the truth, and how wide they are.

The simulated models answer as real ones do: images differ in difficulty, for all seeds alike; seeds differ in accuracy;
two models find the same images hard. An answer is right where the sum of skill, difficulty and chance is above zero.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from tlhelpers.metrics import accuracy_estimate, paired_difference, wilson_interval

RUNS = 1000
HARD = 1.5  # spread of the images' difficulty, in units of chance
QUANTILES = ndtri((np.arange(2000) + 0.5) / 2000)  # a normal distribution in 2,000 equal parts
SEEDS = [2, 3, 5]
# Accuracy, and the seeds' standard deviation: none, up to 7 points, and at most half of what is missing to 100 %.
KINDS = [(0.6, 0.07), (0.75, 0.02), (0.9, 0.0), (0.9, 0.05), (0.97, 0.015), (0.99, 0.0)]
SCRATCH_AND_FROZEN = ((0.85, 0.07), (0.97, 0.01))
PAIRS = [((0.6, 0.07), (0.65, 0.02)), ((0.9, 0.0), (0.9, 0.0)), ((0.9, 0.05), (0.9, 0.05)), SCRATCH_AND_FROZEN]


def simulate(rng, kind, seeds, n, common=None):
    """Right answers of shape `(RUNS, seeds, n)` of a model whose true accuracy and spread over seeds are `kind`.

    `common`: what half of the difficulty comes from, where another model shares it; shape `(RUNS, 1, n)`.
    """
    accuracy, spread = kind

    def mean_skill(seed_effect):
        return ndtri(accuracy) * np.sqrt(1 + HARD**2 + seed_effect**2)

    def excess(seed_effect):
        accuracies = ndtr((mean_skill(seed_effect) + seed_effect * QUANTILES) / np.sqrt(1 + HARD**2))
        return accuracies.std() - spread

    effect = brentq(excess, 0, 20) if spread else 0.0
    skill = mean_skill(effect) + effect * rng.standard_normal((RUNS, seeds, 1))
    common = rng.standard_normal((RUNS, 1, n)) if common is None else common
    difficulty = np.sqrt(0.5) * (common + rng.standard_normal((RUNS, 1, n)))
    return skill + HARD * difficulty + rng.standard_normal((RUNS, seeds, n), dtype=np.float32) > 0


def simulate_pair(rng, kinds, seeds, n):
    common = rng.standard_normal((RUNS, 1, n))
    return [simulate(rng, kind, seeds, n, common) for kind in kinds]


def coverage(intervals, truth):
    return np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in intervals])


def ends(estimates):
    return [(estimate.low, estimate.high) for estimate in estimates]


def bootstrap(differences):
    """What `paired_difference` was: images and seeds drawn anew from themselves (percentile bootstrap)."""
    rng, (_, seeds, n) = np.random.default_rng(0), differences.shape
    for_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), 1000) / seeds
    for_images = rng.multinomial(n, np.full(n, 1 / n), 1000) / n
    for difference in differences:
        yield np.quantile(np.sum(for_seeds @ difference * for_images, axis=1), [0.025, 0.975])


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_of_an_accuracy_covers_the_truth(kind):
    rng, found = np.random.default_rng(0), {}
    for seeds in SEEDS:
        for n in (100, 400):
            accuracies = simulate(rng, kind, seeds, n).mean(2)
            found[seeds, n] = coverage(ends(accuracy_estimate(row, n) for row in accuracies), kind[0])
    assert min(found.values()) >= 0.94, found


@pytest.mark.parametrize("kinds", PAIRS)
def test_the_interval_of_a_difference_covers_the_truth(kinds):
    rng, found = np.random.default_rng(0), {}
    for seeds in SEEDS:
        one, other = simulate_pair(rng, kinds, seeds, 300)
        found[seeds] = coverage(ends(map(paired_difference, one, other)), kinds[1][0] - kinds[0][0])
    assert min(found.values()) >= 0.94, found


def test_a_bootstrap_over_two_seeds_would_not_pass():
    one, other = simulate_pair(np.random.default_rng(0), SCRATCH_AND_FROZEN, 2, 300)
    assert coverage(bootstrap(other[:300].astype(float) - one[:300]), 0.12) < 0.85


@pytest.mark.parametrize(("seeds", "times"), [(1, 1.0001), (3, 1.5), (5, 1.2)])
def test_where_seeds_agree_the_interval_is_hardly_wider_than_that_of_one_test(seeds, times):
    accuracies = simulate(np.random.default_rng(0), (0.9, 0.0), seeds, 300).mean(2)
    widths = [np.ptp((found.low, found.high)) for found in (accuracy_estimate(row, 300) for row in accuracies)]
    of_one = [np.ptp((found.low, found.high)) for found in (wilson_interval(row.mean(), 300) for row in accuracies)]
    assert np.mean(widths) <= times * np.mean(of_one)


@pytest.mark.parametrize("accuracies", [[0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 1.0], [0.0, 1.0], [0.99, 1.0, 1.0]])
def test_an_interval_of_an_accuracy_stays_within_fractions_and_is_not_empty(accuracies):
    found = accuracy_estimate(accuracies, 100)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.02


def test_one_run_gives_the_interval_of_its_test_images():
    rng = np.random.default_rng(0)
    one, other = rng.random(400) < 0.8, rng.random(400) < 0.9
    found = paired_difference(one, other)
    half = 1.96 * np.std(other.astype(int) - one) / 20  # the textbook's formula for pairs
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.001)


def test_two_models_that_agree_on_few_images_may_still_differ():
    found = paired_difference(np.ones((3, 100)), np.ones((3, 100)))
    assert found.value == 0
    assert 0.01 < found.high == -found.low < 0.03
