"""Reliability, calibration error and temperature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.legacy import calibration
from tlhelpers.metrics import accuracy


def world(n=4000, classes=4, sharpness=1.0, seed=0):
    """Labels drawn from true probabilities, and probabilities that a model with another sharpness announces."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, classes))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (rng.random((n, 1)) > true.cumsum(1)).sum(1).clip(0, classes - 1)
    announced = np.exp(sharpness * logits)
    return labels, announced / announced.sum(1, keepdims=True)


def test_error_by_hand():
    p = np.array([[0.95, 0.05], [0.92, 0.08], [0.6, 0.4], [0.35, 0.65]])
    labels = np.array([0, 1, 0, 0])  # right, wrong; right, wrong
    found = calibration.reliability(labels, p)
    np.testing.assert_allclose(found.confidence, [0.625, 0.935])
    np.testing.assert_allclose(found.accuracy, [0.5, 0.5])
    np.testing.assert_array_equal(found.count, [2, 2])
    assert calibration.expected_calibration_error(labels, p) == pytest.approx(0.5 * 0.125 + 0.5 * 0.435)


@settings(max_examples=30, deadline=None)
@given(sharpness=st.floats(0.3, 4))
def test_temperature_finds_the_sharpness_again_and_mends_the_error(sharpness):
    labels, p = world(sharpness=sharpness)
    found = calibration.fit_temperature(labels, p)
    assert found == pytest.approx(sharpness, rel=0.15)
    mended = calibration.apply_temperature(p, found)
    assert calibration.expected_calibration_error(labels, mended) < 0.03


def test_too_sharp_is_too_sure_and_flat_is_not_sure_enough():
    for sharpness, sign in ((3, 1), (0.4, -1)):
        labels, p = world(sharpness=sharpness)
        assert sign * (p.max(1).mean() - accuracy(labels, p)) > 0.05
        assert calibration.expected_calibration_error(labels, p) > 0.05


@given(temperature=st.floats(0.05, 20), seed=st.integers(0, 1000))
def test_temperature_changes_no_answer(temperature, seed):
    _, p = world(50, seed=seed)
    after = calibration.apply_temperature(p, temperature)
    np.testing.assert_array_equal(after.argmax(1), p.argmax(1))
    np.testing.assert_allclose(after.sum(1), 1)


def test_temperature_of_one_changes_nothing_even_at_the_ends():
    p = np.array([[1.0, 0.0], [0.3, 0.7]])
    np.testing.assert_allclose(calibration.apply_temperature(p, 1), p, atol=1e-9)


def test_error_by_chance_is_what_a_calibrated_model_shows():
    labels, p = world(300)
    chance = calibration.error_by_chance(p)
    assert 0 < chance.mean() < 0.1
    many = calibration.error_by_chance(np.tile(p, (20, 1)))
    assert many.mean() < chance.mean() / 2
    assert calibration.expected_calibration_error(labels, p) < np.quantile(chance, 0.999)


@pytest.mark.parametrize(
    ("labels", "p", "message"),
    [
        (np.zeros(2, int), np.ones(2), "num_classes"),
        (np.zeros(3, int), np.eye(2), "num_classes"),
        (np.zeros(0, int), np.zeros((0, 2)), "at least 1"),
        (np.zeros(2, int), np.array([[3.0, -1.0], [0.2, 5.0]]), "apply a softmax"),
    ],
)
def test_what_is_no_probability_is_refused(labels, p, message):
    with pytest.raises(ValueError, match=message):
        calibration.reliability(labels, p)


def test_other_nonsense():
    labels, p = world(10)
    with pytest.raises(ValueError, match="above 0"):
        calibration.apply_temperature(p, 0)
    with pytest.raises(ValueError, match="at least one bin"):
        calibration.reliability(labels, p, bins=0)
