"""The loop that both frameworks share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.rate_test import run_rate_test
from tlhelpers.legacy.training import (
    augment_batch,
    discriminative_rates,
    iterate_batches,
    learning_rate,
    resolve_layer_rates,
)

SCHEDULES = ("constant", "cosine")


@settings(deadline=None)
@given(n=st.integers(1, 70), batch_size=st.integers(1, 33), seed=st.integers(0, 99))
def test_each_input_comes_once_an_epoch_with_its_label(n, batch_size, seed):
    x, y = np.arange(n)[:, None], np.arange(n) * 10
    batches = list(iterate_batches(x, y, batch_size, np.random.default_rng(seed), augment=False))
    assert sorted(np.concatenate([b[0][:, 0] for b in batches]).tolist()) == list(range(n))
    for inputs, labels in batches:
        np.testing.assert_array_equal(inputs[:, 0] * 10, labels)
    if batch_size > 1 and n > 1:
        assert min(len(labels) for _, labels in batches) > 1  # BatchNorm cannot train on one image


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 6), side=st.integers(8, 40), seed=st.integers(0, 99))
def test_augmentation_keeps_shape_type_and_colours(n, side, seed):
    images = np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    out = augment_batch(images, np.random.default_rng(seed))
    assert (out.shape, out.dtype) == (images.shape, np.uint8)
    for before, after in zip(images, out, strict=True):
        known = {tuple(pixel) for pixel in before.reshape(-1, 3)}
        assert {tuple(pixel) for pixel in after.reshape(-1, 3)} <= known


def test_augmentation_changes_images_and_leaves_its_input():
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    before = images.copy()
    out = augment_batch(images, np.random.default_rng(0))
    np.testing.assert_array_equal(images, before)
    assert sum(not np.array_equal(a, b) for a, b in zip(images, out, strict=True)) >= 7


def test_cosine_warms_up_and_falls_to_nothing():
    rates = [learning_rate(0.1, "cosine", step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(0.1)
    assert rates[-1] < 0.001
    assert learning_rate(0.1, "constant", 50, 100) == 0.1


def test_warmup_is_a_fraction_of_the_run():
    assert learning_rate(0.1, "cosine", 0, 100, warmup=0.0) == pytest.approx(0.1)
    assert learning_rate(0.1, "constant", 0, 100, warmup=0.2) == pytest.approx(0.1 / 20)
    assert learning_rate(0.1, "constant", 20, 100, warmup=0.2) == pytest.approx(0.1)
    assert learning_rate(0.1, "cosine", 49, 100, warmup=0.5) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="fraction"):
        learning_rate(0.1, "cosine", 0, 100, warmup=1.5)


@given(total=st.integers(1, 300), warmup=st.one_of(st.none(), st.floats(0, 1)), schedule=st.sampled_from(SCHEDULES))
def test_rates_stay_between_zero_and_the_highest(total, warmup, schedule):
    rates = [learning_rate(0.1, schedule, step, total, warmup) for step in range(total)]
    assert all(0 <= rate <= 0.1 + 1e-12 for rate in rates)
    assert rates[0] > 0


class TestLayerRates:
    LAYERS = ("stem", "stage1", "stage2", "stage3")

    def test_a_factor_holds_up_to_the_next_one_named(self):
        found = resolve_layer_rates({"stage1": 0.1, "stage3": 0.5}, self.LAYERS)
        assert found == {"stem": 1.0, "stage1": 0.1, "stage2": 0.1, "stage3": 0.5, "head": 1.0}

    def test_the_head_is_asked_by_its_own_name(self):
        assert resolve_layer_rates({"stem": 0.0}, self.LAYERS)["head"] == 1.0
        assert resolve_layer_rates({"head": 3}, self.LAYERS) == dict.fromkeys(self.LAYERS, 1.0) | {"head": 3.0}

    @given(divide=st.floats(1, 10), n=st.integers(1, 8))
    def test_discriminative_rates_fall_by_one_factor_towards_the_image(self, divide, n):
        factors = list(discriminative_rates([f"layer{k}" for k in range(n)], divide).values())
        assert factors[-1] == 1.0
        np.testing.assert_allclose(np.array(factors[1:]) / factors[:-1], divide)

    def test_what_cannot_be_is_told(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'stage1'"):
            resolve_layer_rates({"stage11": 1.0}, self.LAYERS)
        for factor in (-1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="factor of 0 or more"):
                resolve_layer_rates({"stem": factor}, self.LAYERS)


class FakeTrainer:
    """A model of one number, pulled towards 3 along a parabola; steps beyond a rate of 1 diverge."""

    def __init__(self):
        self.weight = 0.0

    def step(self, x, y, lr):
        distance = self.weight - 3.0
        self.weight -= 2 * lr * distance
        return distance**2, 0

    def get_weights(self):
        return self.weight

    def set_weights(self, weights):
        self.weight = weights


class TestRateTest:
    def test_rates_rise_and_weights_come_back(self):
        trainer = FakeTrainer()
        test = run_rate_test(trainer, np.zeros((8, 1)), np.zeros(8), low=1e-4, high=10, steps=60, batch_size=4, seed=0)
        assert trainer.weight == 0.0
        assert np.all(np.diff(test.rates) > 0)
        assert len(test.rates) == len(test.losses) == len(test.smooth) <= 60
        assert 0.02 < test.lowest < 2  # the parabola's steps overshoot from 1 on
        assert test.advice == pytest.approx(test.lowest / 3)

    def test_it_ends_where_the_loss_explodes(self):
        test = run_rate_test(
            FakeTrainer(), np.zeros((8, 1)), np.zeros(8), low=1, high=1e6, steps=60, batch_size=4, seed=0
        )
        assert len(test.losses) < 60
        assert np.isfinite(test.losses).all()

    @pytest.mark.parametrize(("low", "high", "steps"), [(0, 1, 20), (1, 1, 20), (1e-3, 1e-4, 20), (1e-3, 1, 4)])
    def test_a_range_that_does_not_rise(self, low, high, steps):
        with pytest.raises(ValueError, match="low < high"):
            run_rate_test(FakeTrainer(), np.zeros((8, 1)), np.zeros(8), low=low, high=high, steps=steps,
                          batch_size=4, seed=0)  # fmt: skip
