"""Any model of timm is a backbone, with the preprocessing that its weights ask for."""

import numpy as np
import pytest

from tlhelpers.errors import UnknownNameError


@pytest.mark.parametrize(("name", "size"), [("timm/resnet10t", 64), ("timm/vit_tiny_patch16_224", 224)])
def test_timm_model_gives_features(name, size):
    from tlhelpers.legacy import pytorch

    backbone = pytorch.load_backbone(name, weights="random", image_size=size)
    features = pytorch.extract_features(backbone, np.zeros((2, size, size, 3), np.uint8), cache=False)
    assert features.shape == (2, backbone.feature_size)
    assert backbone.preprocessing.std[0] > 1  # on the scale of pixels, 0 to 255


def test_unknown_timm_model_gets_a_proposal():
    from tlhelpers.legacy import pytorch

    with pytest.raises(UnknownNameError, match="resnet10t"):
        pytorch.load_backbone("timm/resnet10tt", weights="random")
