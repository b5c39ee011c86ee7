"""The checks of lesson 01's exercises accept what is right in any style, and name what is wrong."""

import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F
from torchvision import models

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "optim": optim, "F": F, "models": models, "num_classes": 2}
    return read_checks("01_cats_vs_dogs", "pytorch", names)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.drop, self.two = nn.Linear(256, 64), nn.Dropout(0.5), nn.Linear(64, 2)

    def forward(self, x):
        return self.two(self.drop(F.relu(self.one(x))))


def head(middle=64, rate=0.5, relu=True, end=None, size=256):
    parts = [nn.Linear(size, middle), nn.ReLU() if relu else None, nn.Dropout(rate), nn.Linear(middle, 2), end]
    return nn.Sequential(*[part for part in parts if part is not None])


@pytest.mark.parametrize(("answer", "said"), [
    (head, "right"), (Functional, "right"), (lambda: None, "no_head"), (lambda: head(relu=False), "head_linear"),
    (lambda: head(end=nn.Softmax(1)), "head_softmax"), (lambda: head(end=nn.Sigmoid()), "head_softmax"),
    (lambda: head(middle=128), "head_layers"), (lambda: head(rate=0.2), "head_layers"),
    (lambda: head(size=128), "head_sizes"), (lambda: nn.Linear(256, 3), "head_shape"),
])  # fmt: skip
def test_a_head_of_two_layers(answer, said, checks, capsys):
    space, keys = checks
    space["check_head"](answer())
    assert answer_of(capsys.readouterr().out, keys) == said


def step(net, batch, labels, optimizer, loss=F.cross_entropy, zero=True, times=1):
    for _ in range(times):
        value = loss(net(batch), labels)
        if zero:
            optimizer.zero_grad()
        value.backward()
        optimizer.step()


def step_and_zero_at_the_end(net, batch, labels, optimizer):
    step(net, batch, labels, optimizer, zero=False)
    optimizer.zero_grad(set_to_none=False)


@pytest.mark.parametrize(("answer", "said"), [
    (step, "right"), (step_and_zero_at_the_end, "right"), (lambda *given: None, "did_not_move"),
    (lambda *given: step(*given, zero=False), "gradients_add_up"),
    (lambda *given: step(*given, times=5), "wrong_step"),
    (lambda *given: step(*given, loss=lambda x, y: -F.cross_entropy(x, y)), "wrong_step"),
    (lambda *given: step(*given, loss=lambda x, y: F.cross_entropy(x.softmax(1), y)), "wrong_step"),
    (lambda net, x, y, _: step(net, x, y, optim.SGD(net.parameters(), 0.1)), "wrong_step"),
])  # fmt: skip
def test_a_step(answer, said, checks, capsys):
    space, keys = checks
    space["check_step"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def freeze(net, learns="classifier", sleep=True):
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name.startswith(learns)
    if sleep:
        net.eval()


@pytest.mark.parametrize(("answer", "said"), [
    (freeze, "right"), (lambda net: net.eval(), "body_learns"),
    (lambda net: freeze(net, learns="nothing"), "head_frozen"),
    (lambda net: freeze(net, sleep=False), "batch_norm_awake"),
])  # fmt: skip
def test_a_frozen_backbone(answer, said, checks, capsys):
    space, keys = checks
    space["check_freeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
