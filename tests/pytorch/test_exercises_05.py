"""The checks of lesson 05's exercises accept what is right in any style, and name what is wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import optim
from torch.nn import functional as F
from torchvision.transforms import v2

from tests.exercises import answer_of, read_checks
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.pytorch.heads import freeze
from tlhelpers.pytorch.mini_resnet import MiniResNet, MiniResNet_Weights

UNIT, PREPARE = v2.ToDtype(torch.float32, scale=True), MiniResNet_Weights.DEFAULT.transforms()
NORMALIZE = next(step for step in PREPARE.transforms if isinstance(step, v2.Normalize))
RECIPES = {
    "raw": v2.ToDtype(torch.float32),
    "unit": UNIT,
    "twice": v2.Compose([UNIT, v2.Lambda(lambda x: x / 255), NORMALIZE]),
}


def prepared(images, recipe):
    return torch.stack([recipe(torch.from_numpy(image.copy()).permute(2, 0, 1)) for image in images])


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "optim": optim, "np": np, "cdist": cdist, "freeze": freeze, "MiniResNet": MiniResNet}
    names |= {"prepare": PREPARE, "prepared": prepared, "recipes": RECIPES}
    names |= {"test": SimpleNamespace(images=draw_pets(40).images), "saved_anew": brighter}
    return read_checks("05_common_mistakes", "pytorch", names)


def brighter(images):
    return np.clip(1.1 * images, 0, 255).astype(np.uint8)


def within(low, high, batch):
    assert low < batch.min()
    assert batch.max() < high


def mean_and_spread(batch):
    if abs(batch.mean()) > 1.5 or batch.std() < 0.4:
        raise ValueError("not normalised")


@pytest.mark.parametrize(("answer", "said"), [
    (mean_and_spread, "right"), (lambda x: bool(-3 < x.min() < 0 < x.max() < 3), "right"),
    (lambda x: None, "guard_misses"), (lambda x: within(-3, 3, x), "guard_misses"),
    (lambda x: within(-1, 300, x), "guard_refuses"), (lambda x: within(-0.1, 1.1, x), "guard_refuses"),
])  # fmt: skip
def test_a_guard_for_pixels(answer, said, checks, capsys):
    space, keys = checks
    space["check_guard"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def add_group(net, optimizer, rate=0.0001, part="layer4"):
    net.get_submodule(part).requires_grad_(True)
    optimizer.add_param_group({"params": net.get_submodule(part).parameters(), "lr": rate})


def new_optimizer(net, optimizer, head=True):
    net.layer4.requires_grad_(True)
    groups = [{"params": net.layer4.parameters()}] + [{"params": net.fc.parameters(), "lr": 0.001}] * head
    return optim.SGD(groups, lr=0.0001)


def unfreeze_all(net, optimizer):
    net.requires_grad_(True)
    return optim.AdamW(net.parameters(), lr=0.0001)


@pytest.mark.parametrize(("answer", "said"), [
    (add_group, "right"), (new_optimizer, "right"), (lambda *given: None, "still_frozen"),
    (lambda net, _: net.layer4.requires_grad_(True) and None, "not_told"), (unfreeze_all, "too_much"),
    (lambda *given: new_optimizer(*given, head=False), "head_forgotten"),
    (lambda *given: add_group(*given, rate=0.001), "wrong_rate"),
    (lambda *given: add_group(*given, part="layer3"), "still_frozen"),
])  # fmt: skip
def test_an_unfrozen_stage(answer, said, checks, capsys):
    space, keys = checks
    space["check_unfreeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def difference(images, size=(16, 17), shift=0.0):
    grey = torch.from_numpy(images).float().mean(3)[:, None]
    small = F.adaptive_avg_pool2d(grey, size)
    return (small[..., 1:] > small[..., :-1] + shift).flatten(1)


def above_the_mean(images):
    small = F.interpolate(torch.from_numpy(images).permute(0, 3, 1, 2).float(), (16, 16), mode="area").flatten(2)
    return (small > small.mean(2, keepdim=True)).flatten(1).int().numpy()


@pytest.mark.parametrize(("answer", "said"), [
    (difference, "right"), (above_the_mean, "right"), (lambda images: None, "no_bits"),
    (lambda images: difference(images)[0], "no_bits"), (lambda images: images.reshape(len(images), -1), "no_bits"),
    (lambda images: images.reshape(len(images), -1) % 2, "copies_differ"),
    (lambda images: np.ones((len(images), 64), bool), "others_alike"),
])  # fmt: skip
def test_a_fingerprint(answer, said, checks, capsys):
    space, keys = checks
    space["check_fingerprint"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
