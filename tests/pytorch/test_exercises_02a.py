"""The checks of lesson 02a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from tests.exercises import answer_of, read_checks
from tlhelpers.pytorch.mini_resnet import MiniResNet


def stages_of(network):
    parts = [[network.conv1, network.bn1], network.layer1, network.layer2, network.layer3, network.layer4]
    return [nn.Sequential(*part) for part in parts]


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "np": np, "stages_of": stages_of, "small_network": lambda _: MiniResNet(width=4)}
    return read_checks("02a_what_layers_know", "pytorch", names)


def hooked(network, name, x, take=lambda maps: maps.mean((2, 3)), remove=True):
    found = []
    hook = network.get_submodule(name).register_forward_hook(lambda part, inputs, output: found.append(output))
    network(x)
    if remove:
        hook.remove()
    return take(found[0])


def extracted(network, name, x):
    return create_feature_extractor(network, [name])(x)[name].flatten(2).mean(-1).detach().numpy()


@pytest.mark.parametrize(("answer", "said"), [
    (hooked, "right"), (extracted, "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: hooked(*given, take=lambda maps: maps), "averages_shape"),
    (lambda *given: hooked(*given, take=lambda maps: maps.mean((0, 2, 3))), "averages_shape"),
    (lambda *given: hooked(*given, take=lambda maps: maps.amax((2, 3))), "averages_wrong"),
    (lambda *given: hooked(*given, remove=False), "hook_left"),
])  # fmt: skip
def test_averages_of_a_layer(answer, said, checks, capsys):
    space, keys = checks
    space["check_averages"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def by_backward(network, x, row, column, where=None):
    x = x.clone().requires_grad_(True)
    out = network(x)[0, :, row, column] if where is None else network(x)[where]
    out.sum().backward()
    return (x.grad[0] != 0).any(0)


def by_grad(network, x, row, column):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(network(x)[0, :, row, column].sum(), x)[0].abs().sum((0, 1)).numpy()


@pytest.mark.parametrize(("answer", "said"), [
    (by_backward, "right"), (by_grad, "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: by_backward(*given, where=0), "influence_everywhere"),
    (lambda net, x, row, column: by_backward(net, x, column, row), "influence_wrong"),
    (lambda net, x, *at: by_backward(net, x, *at).expand(3, 32, 32), "influence_shape"),
])  # fmt: skip
def test_influence(answer, said, checks, capsys):
    space, keys = checks
    space["check_influence"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def copy_and_freeze(network, known, n, freeze=True, only_weights=False):
    for stage, other in zip(stages_of(network)[:n], stages_of(known), strict=False):
        if only_weights:
            for parameter, source in zip(stage.parameters(), other.parameters(), strict=True):
                parameter.data.copy_(source.data)
        else:
            stage.load_state_dict(other.state_dict())
        stage.requires_grad_(not freeze)


def freeze_all(network, known, n):
    copy_and_freeze(network, known, n)
    network.requires_grad_(False)


@pytest.mark.parametrize(("answer", "said"), [
    (copy_and_freeze, "right"), (lambda *given: None, "not_copied"), (freeze_all, "rest_frozen"),
    (lambda net, known, n: copy_and_freeze(net, known, 5), "copied_too_much"),
    (lambda net, known, n: copy_and_freeze(net, known, n - 1), "not_copied"),
    (lambda *given: copy_and_freeze(*given, freeze=False), "still_learns"),
    (lambda *given: copy_and_freeze(*given, only_weights=True), "statistics_not_copied"),
])  # fmt: skip
def test_copy_and_freeze(answer, said, checks, capsys):
    space, keys = checks
    space["check_copy"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
