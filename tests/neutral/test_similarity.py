"""Likeness of features: what linear CKA may not depend on, what it must tell apart, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.legacy.similarity import linear_cka


def features(seed: int, n: int, p: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, p))


sizes = {"seed": st.integers(0, 10_000), "n": st.integers(4, 40), "p": st.integers(1, 30), "q": st.integers(1, 30)}


class TestWhatItMayNotDependOn:
    @settings(max_examples=60, deadline=None)
    @given(**sizes, scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
    def test_rotation_scale_shift_and_order(self, seed, n, p, q, scale, shift):
        x, y = features(seed, n, p), features(seed + 1, n, q)
        rotation = np.linalg.qr(features(seed + 2, q, q))[0]
        expected = linear_cka(x, y)
        assert 0 <= expected <= 1
        assert linear_cka(x, scale * (y @ rotation) + shift) == pytest.approx(expected, abs=1e-6)
        assert linear_cka(y, x) == pytest.approx(expected, abs=1e-9)
        order = np.random.default_rng(seed).permutation(n)
        assert linear_cka(x[order], y[order]) == pytest.approx(expected, abs=1e-9)

    @settings(max_examples=60, deadline=None)
    @given(**sizes)
    def test_it_equals_the_definition_by_kernels(self, seed, n, p, q):
        x, y = features(seed, n, p), features(seed + 1, n, q)
        centre = np.eye(n) - 1 / n
        k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
        assert linear_cka(x, y) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()), abs=1e-9)

    def test_features_as_large_or_small_as_float32_holds(self):
        x = features(0, 20, 5)
        assert linear_cka((1e30 * x).astype(np.float32), (1e-30 * x).astype(np.float32)) == pytest.approx(1, abs=1e-5)


class TestWhatItTells:
    def test_the_same_is_one(self):
        x = features(0, 30, 8)
        assert linear_cka(x, x) == pytest.approx(1)

    def test_nothing_in_common_is_near_zero_with_many_images(self):
        assert linear_cka(features(0, 4000, 8), features(1, 4000, 8)) < 0.01

    def test_with_few_images_it_is_biased_upwards(self):
        few, many = (linear_cka(features(0, n, 100), features(1, n, 100)) for n in (20, 2000))
        assert few > 0.5 > 0.1 > many

    def test_noise_lowers_it_bit_by_bit(self):
        x, noise = features(0, 500, 10), features(1, 500, 10)
        values = [linear_cka(x, x + level * noise) for level in (0, 0.3, 1, 3, 10)]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.1

    def test_a_layer_that_always_says_the_same_cannot_be_compared(self):
        assert np.isnan(linear_cka(features(0, 10, 3), np.full((10, 4), 0.1)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 2)), np.zeros((5, 2)), r"\(4, 2\) and \(5, 2\)"),
        (np.zeros((4, 2, 2, 3)), np.zeros((4, 2)), "pool"),
        (np.zeros(4), np.zeros(4), r"\(n, p\)"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "n >= 2"),
        (np.full((4, 2), np.nan), np.zeros((4, 2)), "NaN"),
        (np.zeros((4, 2)), np.full((4, 2), np.inf), "NaN"),
    ],
)
def test_what_makes_no_sense_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        linear_cka(x, y)
