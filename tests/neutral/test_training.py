"""The loop that both frameworks share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.training import augment_batch, iterate_batches, learning_rate


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
