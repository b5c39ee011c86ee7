"""What the course promises of its backbones, on real photos and on drawn pets, in pytorch."""

import os

import pytest

from benchmarks import accuracy


@pytest.mark.parametrize(("backbone", "bound"), [("mini_resnet", 82), ("mobilenet", 97)])
def test_frozen_backbone_on_real_photos(backbone, bound):
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos and weights in TLHELPERS_DATA")
    found = accuracy.photos("pytorch", backbone)
    assert 100 * sum(found) / len(found) >= bound


def test_ten_labels_go_further_with_transfer_than_from_scratch():
    found = {name: 100 * sum(values) / len(values) for name, values in accuracy.drawn_pets("pytorch").items()}
    assert found["probe"] >= 90
    assert found["probe"] - found["scratch"] >= 25
