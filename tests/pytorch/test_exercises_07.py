"""The checks of lesson 07's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks("07_adversarial_cat", "pytorch", {"torch": torch, "nn": nn, "F": F, "np": np})


def variation(x, size=torch.abs, both=torch.mean, ways=(2, 3)):
    return sum(both(size(torch.diff(x, dim=way))) for way in ways)


@pytest.mark.parametrize(("answer", "said"), [
    (variation, "right"), (lambda x: F.l1_loss(x[:, :, 1:], x[:, :, :-1]) + variation(x, ways=(3,)), "right"),
    (lambda x: None, "no_number"), (lambda x: x.abs(), "no_number"), (lambda x: 0.0, "no_number"),
    (lambda x: variation(x.detach()), "no_gradient"), (lambda x: variation(x, size=lambda d: d), "signed"),
    (lambda x: variation(x, both=torch.sum), "summed"), (lambda x: variation(x, size=torch.square), "squared"),
    (lambda x: variation(x, ways=(2,)), "one_way"), (lambda x: variation(x, ways=(3,)), "one_way"),
    (lambda x: variation(x) / 2, "halved"), (lambda x: 3 * variation(x), "other_number"),
])  # fmt: skip
def test_total_variation(answer, said, checks, capsys):
    space, keys = checks
    space["check_variation"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def towards(net, x, targets, epsilon, sign=-1, length=torch.sign, clip=True):
    x = x.clone().requires_grad_()
    F.cross_entropy(net(x), targets).backward()
    moved = x + sign * epsilon * length(x.grad)
    return (moved.clamp(0, 1) if clip else moved).detach()


def changes_what_it_was_given(net, x, targets, epsilon):
    x.copy_(towards(net, x, targets, epsilon))
    return x


@pytest.mark.parametrize(("answer", "said"), [
    (towards, "right"), (lambda net, x, y, e: towards(net, x, y, e).requires_grad_(), "right"),
    (lambda *given: None, "no_images"), (lambda net, x, y, e: towards(net, x, y, e)[0], "no_images"),
    (changes_what_it_was_given, "given_changed"), (lambda *given: towards(*given, clip=False), "out_of_range"),
    (lambda *given: towards(*given, sign=1), "went_away"),
    (lambda *given: towards(*given, length=lambda g: g), "not_whole_step"), (lambda net, x, y, e: x, "not_whole_step"),
])  # fmt: skip
def test_a_step_towards_a_class(answer, said, checks, capsys):
    space, keys = checks
    space["check_step"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


class Both(nn.Module):
    def __init__(self, blur, net, detach=False):
        super().__init__()
        self.blur, self.net, self.detach = blur, net, detach

    def forward(self, x):
        return self.net(self.blur(x).detach() if self.detach else self.blur(x))


@pytest.mark.parametrize(("answer", "said"), [
    (nn.Sequential, "right"), (Both, "right"), (lambda blur, net: None, "no_model"),
    (lambda blur, net: lambda x: net(blur(x)), "no_model"), (lambda blur, net: net, "no_blur"),
    (lambda blur, net: nn.Sequential(blur, blur, net), "other_output"),
    (lambda blur, net: Both(blur, net, detach=True), "no_gradient"),
])  # fmt: skip
def test_blur_and_network_in_one(answer, said, checks, capsys):
    space, keys = checks
    space["check_defended"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
