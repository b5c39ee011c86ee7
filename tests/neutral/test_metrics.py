"""Intervals, probes and mistakes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers import metrics as evaluation


@given(right=st.integers(0, 500), more=st.integers(0, 500))
def test_wilson_interval_holds_its_value_and_stays_a_fraction(right, more):
    n = max(1, right + more)
    found = evaluation.wilson_interval(right / n, n)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_wilson_interval_against_the_textbook():
    found = evaluation.wilson_interval(0.5, 100)  # Wilson's formula by hand: 0.5 ± 1.96 * sqrt(0.25/100 + ...) / ...
    assert (found.low, found.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_wilson_interval_narrows_with_more_images():
    few, many = (evaluation.wilson_interval(0.9, n) for n in (50, 5000))
    assert many.high - many.low < (few.high - few.low) / 5


@pytest.mark.parametrize(("value", "n"), [(1.1, 10), (-0.1, 10), (0.5, 0)])
def test_wilson_interval_refuses_nonsense(value, n):
    with pytest.raises(ValueError, match="expected a fraction"):
        evaluation.wilson_interval(value, n)


def test_mean_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        found = evaluation.mean_interval(list(rng.normal(3, 1, 4)))
        hits += found.low <= 3 <= found.high
    assert 0.91 <= hits / 400 <= 0.98


def test_accuracy_estimate_widens_with_scattered_seeds():
    together = evaluation.accuracy_estimate([0.8, 0.8, 0.8], 300)
    scattered = evaluation.accuracy_estimate([0.6, 0.8, 1.0], 300)
    assert together.value == pytest.approx(scattered.value)
    assert scattered.low < together.low


def test_paired_difference_finds_a_real_one_and_calls_noise_none():
    rng = np.random.default_rng(0)
    base = rng.random((3, 400)) < 0.8
    better = base | (rng.random((3, 400)) < 0.5)
    gain = evaluation.paired_difference(base, better)
    assert gain.low > 0
    assert evaluation.describe_difference(gain).startswith("better")
    assert evaluation.describe_difference(gain, "es").startswith("mejor")
    none = evaluation.paired_difference(base, rng.permuted(base, axis=1))
    assert none.low <= 0 <= none.high
    assert "no difference" in evaluation.describe_difference(none)
    assert evaluation.describe_difference(evaluation.paired_difference(better, base)).startswith("worse")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 5))
def test_probe_learns_what_is_separable(seed, classes):
    rng = np.random.default_rng(seed)
    y = np.arange(10 * classes) % classes
    x = np.eye(classes)[y] * 5 + rng.normal(size=(len(y), classes)) * 0.3
    probabilities = evaluation.linear_probe(x, y, x)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert evaluation.accuracy(y, probabilities) == 1


def test_most_confident_mistakes_come_first_and_right_answers_never():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.95, 0.05], [0.2, 0.8]])
    np.testing.assert_array_equal(evaluation.most_confident_mistakes(labels, probabilities), [2, 1])
    np.testing.assert_array_equal(evaluation.most_confident_mistakes(labels, probabilities, top=1), [2])
    assert len(evaluation.most_confident_mistakes(labels, np.eye(2)[labels])) == 0


def test_bootstrap_interval_of_a_share_is_near_wilsons():
    right = np.arange(300) % 10 != 0
    found, wilson = evaluation.bootstrap_interval(np.mean, right), evaluation.wilson_interval(0.9, 300)
    assert found.value == pytest.approx(0.9)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.015)


def test_bootstrap_keeps_rows_together_and_repeats_itself():
    a = np.random.default_rng(0).normal(size=50)
    found = evaluation.bootstrap_interval(lambda x, y: float(np.abs(x - y).max()), a, a.copy())
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert evaluation.bootstrap_interval(np.mean, a) == evaluation.bootstrap_interval(np.mean, a)


@pytest.mark.parametrize("arrays", [(), (np.ones(3), np.ones(4)), (np.ones(0),)])
def test_bootstrap_refuses_nonsense(arrays):
    with pytest.raises(ValueError, match="expected arrays of one length"):
        evaluation.bootstrap_interval(lambda *a: 0.0, *arrays)


def test_bootstrap_of_a_number_that_is_never_defined():
    with pytest.raises(ValueError, match="defined for at least one draw"):
        evaluation.bootstrap_interval(lambda a: float("nan"), np.ones(5))


def test_weights_move_the_probe_towards_what_they_weigh():
    x, y = np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0, 0, 1, 1])
    plain, weighted = (
        evaluation.linear_probe(x, y, np.array([[0.0]]), weights=w)[0, 1] for w in (None, np.array([1, 1, 9, 1]))
    )
    assert weighted > plain + 0.1
