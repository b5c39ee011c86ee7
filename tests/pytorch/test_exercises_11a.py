"""The checks of lesson 11a's exercises accept what is right in any style, and name what is wrong."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks("11a_signals_and_normalisation", "pytorch", {"torch": torch, "nn": nn, "F": F})


def give(set_weights, zero=True, only_top=False):
    def give_he(net):
        for part in net if only_top else net.modules():
            if isinstance(part, nn.Linear):
                set_weights(part.weight)
                if zero:
                    nn.init.zeros_(part.bias)

    return give_he


def by_hand(weight):
    nn.init.normal_(weight, std=(2 / weight.shape[1]) ** 0.5)


@pytest.mark.parametrize(("answer", "said"), [
    (give(nn.init.kaiming_normal_), "right"), (give(nn.init.kaiming_uniform_), "right"), (give(by_hand), "right"),
    (lambda net: None, "unchanged"), (give(nn.init.xavier_normal_), "is_glorot"),
    (give(lambda w: nn.init.kaiming_normal_(w, mode="fan_out")), "counts_outputs"),
    (give(nn.init.kaiming_normal_, only_top=True), "not_he"), (give(nn.init.kaiming_normal_, zero=False), "biases"),
])  # fmt: skip
def test_he(answer, said, checks, capsys):
    space, keys = checks
    space["check_he"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


class Block(nn.Module):
    def __init__(self, join, bend=F.relu):
        super().__init__()
        self.one, self.two, self.join, self.bend = nn.Linear(16, 16), nn.Linear(16, 16), join, bend

    def forward(self, x):
        return self.join(x, self.two(self.bend(self.one(x))))


@pytest.mark.parametrize(("answer", "said"), [
    (Block(lambda x, h: x + h), "right"), (Block(lambda x, h: x + h, F.gelu), "right"), (None, "no_module"),
    (Block(lambda x, h: h), "no_shortcut"), (Block(lambda x, h: F.relu(x + h)), "shortcut_bent"),
    (Block(lambda x, h: x + h, lambda z: z), "no_relu"), (nn.Linear(16, 16), "two_linear"),
])  # fmt: skip
def test_a_block(answer, said, checks, capsys):
    space, keys = checks
    space["check_block"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def norm(z, gamma, beta, dim=0, correction=0, outside=False, epsilon=1e-5):
    variance = z.var(dim, keepdim=True, correction=correction)
    divisor = variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt()
    return gamma * (z - z.mean(dim, keepdim=True)) / divisor + beta


@pytest.mark.parametrize(("answer", "said"), [
    (norm, "right"), (lambda z, g, b: F.batch_norm(z, None, None, g, b, training=True), "right"),
    (lambda *given: None, "not_a_batch"), (lambda z, g, b: norm(z, 1, 0), "no_gamma"),
    (lambda *given: norm(*given, dim=1), "over_neurons"), (lambda *given: norm(*given, correction=1), "one_less"),
    (lambda *given: norm(*given, outside=True), "epsilon_outside"), (lambda z, g, b: g * z + b, "another_formula"),
])  # fmt: skip
def test_batch_norm(answer, said, checks, capsys):
    space, keys = checks
    space["check_batch_norm"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
