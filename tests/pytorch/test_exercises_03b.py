"""The checks of lesson 03b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.exercises import answer_of, read_checks
from tlhelpers.pytorch.mini_resnet import mini_resnet_narrow


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "np": np, "mini_resnet_narrow": mini_resnet_narrow}
    return read_checks("03b_forgetting_and_choosing", "pytorch", names)


def penalty(net, start, half=0.5, all_weights=False, power=2):
    learning = [(n, w) for n, w in net.named_parameters() if all_weights or w.requires_grad]
    return half * torch.stack([((weight - start[name]).abs() ** power).sum() for name, weight in learning]).sum()


@pytest.mark.parametrize(("answer", "said"), [
    (penalty, "right"), (lambda *given: None, "no_penalty"), (lambda *given: penalty(*given).item(), "no_penalty"),
    (lambda *given: penalty(*given).detach(), "no_gradient"), (lambda *given: penalty(*given, half=1), "no_half"),
    (lambda *given: penalty(*given, all_weights=True), "frozen_counted"),
    (lambda *given: penalty(*given, power=1), "wrong_penalty"),
])  # fmt: skip
def test_the_penalty(answer, said, checks, capsys):
    space, keys = checks
    space["check_penalty"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def join(old, new, bias=True, frozen=False):
    joined = nn.Linear(4, old.out_features + new.out_features)
    state = {"weight": torch.cat([old.weight, new.weight])}
    state["bias"] = torch.cat([old.bias, new.bias]) if bias else joined.bias
    joined.load_state_dict(state)
    return joined.requires_grad_(not frozen)


class Beside(nn.Module):
    def __init__(self, *heads):
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, x):
        return torch.cat([head(x) for head in self.heads], 1)


@pytest.mark.parametrize(("answer", "said"), [
    (join, "right"), (Beside, "right"), (lambda *given: None, "no_head"), (lambda old, new: old, "joined_shape"),
    (lambda old, new: join(new, old), "wrong_order"), (lambda *given: nn.Linear(4, 5), "not_kept"),
    (lambda *given: join(*given, bias=False), "not_kept"), (lambda *given: join(*given, frozen=True), "cannot_learn"),
])  # fmt: skip
def test_joined_heads(answer, said, checks, capsys):
    space, keys = checks
    space["check_join"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def cut(net, stage="layer1", pool=True):
    parts = [
        part for name, part in net.named_children() if name in ("conv1", "bn1", "relu", "maxpool", "layer1", stage)
    ]
    return nn.Sequential(*parts, *([nn.AdaptiveAvgPool2d(1), nn.Flatten()] if pool else []))


@pytest.mark.parametrize(("answer", "said"), [
    (cut, "right"), (lambda net: None, "no_network"), (lambda net: cut(net, pool=False), "not_pooled"),
    (lambda net: cut(net, "layer2"), "cut_shape"),
    (lambda net: nn.Sequential(net.conv1, net.bn1, net.relu, net.avgpool, nn.Flatten()), "other_numbers"),
])  # fmt: skip
def test_a_cut(answer, said, checks, capsys):
    space, keys = checks
    space["check_cut"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
