"""The course's networks in PyTorch, as torchvision's users know networks."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import nn
from torchvision import models

from tlcourse.tiny_imagenet import load_tiny_imagenet
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.pytorch.efficientnet_lite0 import EfficientNetLite0_Weights, efficientnet_lite0
from tlhelpers.pytorch.mini_resnet import (
    MiniResNet_Weights,
    MiniResNetNarrow_Weights,
    mini_resnet,
    mini_resnet_narrow,
)
from tlhelpers.weights.efficientnet_lite0 import efficientnet_lite0_tensors, weights_file

BUILDERS = {
    mini_resnet: MiniResNet_Weights,
    mini_resnet_narrow: MiniResNetNarrow_Weights,
    efficientnet_lite0: EfficientNetLite0_Weights,
}
BOTH = pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)


@BOTH
def test_called_as_torchvisions_are(build):
    ours, theirs = (inspect.signature(f).parameters for f in (build, models.resnet18))
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    assert models.get_model_weights(build) is BUILDERS[build]
    assert BUILDERS[build].DEFAULT in list(BUILDERS[build])


def test_parts_have_resnet18s_names():
    resnet18, model = models.resnet18(), mini_resnet()
    assert [name for name, _ in model.named_children()] == [name for name, _ in resnet18.named_children()]
    assert set(model.state_dict()) <= set(resnet18.state_dict())
    assert isinstance(model.layer4[0], models.resnet.BasicBlock)


@BOTH
def test_trained_classifier_knows_its_classes_and_its_size(build):
    weights = BUILDERS[build].DEFAULT
    model = build(weights="DEFAULT")
    assert sum(p.numel() for p in model.parameters()) == weights.meta["num_params"]
    assert list(model.modules())[-1].out_features == len(weights.meta["categories"])


@BOTH
def test_weights_with_another_number_of_classes_are_refused(build):
    with pytest.raises(ValueError, match=r"num_classes=2 .*weights=None"):
        build(weights=BUILDERS[build].DEFAULT, num_classes=2)
    with pytest.raises(TypeError, match="ResNet18_Weights"):
        build(weights=models.ResNet18_Weights.DEFAULT)


@BOTH
def test_untrained_networks_take_any_number_of_classes_and_learn(build):
    torch.manual_seed(0)
    model = build(num_classes=2)
    x, y = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 0, 1])
    assert model(x).shape == (4, 2)
    nn.functional.cross_entropy(model(x), y).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.ndim > 1)


def test_two_untrained_networks_differ_and_trained_ones_do_not():
    first, second = mini_resnet().conv1.weight, mini_resnet().conv1.weight
    assert not torch.equal(first, second)
    first, second = (mini_resnet(weights="DEFAULT").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@BOTH
def test_weights_survive_a_file(build, tmp_path):
    model = build(weights="DEFAULT").eval()
    torch.save(model.state_dict(), tmp_path / "w.pth")
    again = build().eval()
    again.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True))
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), model(x))


@BOTH
def test_transforms_take_a_photo_or_a_batch_and_show_their_statistics(build):
    transforms = BUILDERS[build].DEFAULT.transforms()
    size = 224 if build is efficientnet_lite0 else 64
    photo = Image.fromarray(skimage.data.chelsea())
    assert transforms(photo).shape == (3, size, size)
    batch = torch.from_numpy(draw_pets(3, seed=1, size=size).images).permute(0, 3, 1, 2)
    x = transforms(batch)
    assert x.shape == (3, 3, size, size)
    assert type(x) is torch.Tensor
    assert x.dtype == torch.float32
    mean, std = (
        ([127 / 255], [128 / 255]) if build is efficientnet_lite0 else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    expected = (batch / 255 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    torch.testing.assert_close(x, expected, atol=1e-5, rtol=1e-5)
    assert str(mean[0])[:5] in repr(transforms)
    assert str(std[0])[:5] in repr(transforms)


@pytest.fixture(scope="module")
def tiny_imagenet():
    folder = Path(os.environ.get("TLHELPERS_DATA", "")) / "tiny_imagenet"
    if not folder.is_dir():
        pytest.skip("needs the photos of Tiny ImageNet in TLHELPERS_DATA")
    return load_tiny_imagenet(folder, "val")


@pytest.mark.parametrize("build", [mini_resnet, mini_resnet_narrow], ids=lambda build: build.__name__)
def test_accuracy_on_tiny_imagenet_is_what_the_weights_say(build, tiny_imagenet):
    images, labels = tiny_imagenet
    weights = BUILDERS[build].DEFAULT
    model, transforms, right = build(weights=weights).eval(), weights.transforms(), 0
    with torch.inference_mode():
        for i in range(0, len(images), 500):
            x = transforms(torch.from_numpy(images[i : i + 500]).permute(0, 3, 1, 2))
            right += (model(x).argmax(1).numpy() == labels[i : i + 500]).sum()
    (said,) = weights.meta["_metrics"].values()
    assert 100 * right / len(images) == pytest.approx(said["acc@1"], abs=0.1)


def test_a_real_cat_is_a_cat_to_imagenet():
    weights = EfficientNetLite0_Weights.DEFAULT
    model = efficientnet_lite0(weights=weights).eval()
    photo = Image.fromarray(skimage.data.chelsea())
    with torch.inference_mode():
        probabilities, classes = model(weights.transforms()(photo)[None]).softmax(1)[0].topk(3)
    assert [weights.meta["categories"][k] for k in classes] == ["Egyptian cat", "tiger cat", "tabby"]
    np.testing.assert_allclose(probabilities, [0.385, 0.332, 0.163], atol=0.01)


def test_categories_are_torchvisions():
    ours = EfficientNetLite0_Weights.DEFAULT.meta["categories"]
    assert ours == models.ResNet50_Weights.DEFAULT.meta["categories"]


def test_tensors_without_pytorch_are_pytorchs():
    ours, theirs = efficientnet_lite0_tensors(), torch.load(weights_file(), weights_only=True)
    assert len(ours) == len(theirs)
    for (name, array), (_, tensor) in zip(ours.items(), theirs.items(), strict=True):  # timm's names, in its order
        assert array.dtype == tensor.numpy().dtype, name
        assert np.array_equal(array, tensor.numpy()), name
