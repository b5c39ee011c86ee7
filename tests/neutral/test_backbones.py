"""The embedded weights and the checks of images, without a framework."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlhelpers.legacy.backbones import check_images, embedded_weights, source_classes


def test_embedded_weights_reach_what_the_card_says():
    tensors, metadata = embedded_weights()
    assert metadata["val_top1"] >= 0.42
    assert len(metadata["classes"]) == len(tensors["head.bias"]) == 202
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def test_source_classes_are_ordered_and_named():
    features = np.abs(np.random.default_rng(0).normal(size=(3, 256))).astype(np.float32)
    for answers in source_classes(features, top=4):
        probabilities = [p for _, p in answers]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1
        assert all(isinstance(name, str) and name for name, _ in answers)


def test_source_classes_refuse_features_of_another_network():
    with pytest.raises(ValueError, match=r"shape \(n, 256\)"):
        source_classes(np.zeros((2, 512)))


@given(value=st.floats(0, 1))
def test_float_images_are_scaled_to_pixels(value):
    out = check_images(np.full((1, 4, 4, 3), value), 4)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, value * 255, rtol=1e-5, atol=1e-4)
