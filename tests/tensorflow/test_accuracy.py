"""What the course promises of its backbones, on real photos, in tensorflow."""

import os

import pytest

from benchmarks import real_photos


@pytest.fixture(scope="module")
def photos():
    """Mean accuracies in percent, of frozen networks on Cats vs Dogs."""
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos in TLHELPERS_DATA")
    return real_photos.measure("tensorflow")


def test_frozen_networks_on_real_photos(photos):
    # Within 0.15 points of one number in each framework, and so within 0.3 of each other.
    assert photos["photos_efficientnet_lite0"] == pytest.approx(99.15, abs=0.15)
    assert photos["photos_efficientnet_lite0"] >= 99
    assert photos["photos_mini_resnet"] >= 82


def test_ten_photos_of_each_class_are_nearly_enough(photos):
    assert photos["photos_efficientnet_lite0_ten_labels"] >= 95
