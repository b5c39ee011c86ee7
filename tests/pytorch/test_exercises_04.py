"""The checks of lesson 04's exercises accept what is right in any style, and name what is wrong."""

import statistics
import time

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from tests.exercises import answer_of, read_checks
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network


def load_backbone(name, size):
    network, prepare = load_network(name, pretrained=False)
    replace_head(network, 0)
    return network.eval(), prepare


def count_multiply_adds(network, size):
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    return counter.get_total_flops() // 2


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "time": time, "FlopCounterMode": FlopCounterMode, "REPEATS": 5,
             "load_backbone": load_backbone, "count_multiply_adds": count_multiply_adds}  # fmt: skip
    return read_checks("04_choosing_a_backbone", "pytorch", names)


def formula(c_in, c_out, k, height, width, groups=1):
    return sum(k * k * c_in // groups for _ in range(c_out)) * height * width


@pytest.mark.parametrize(("answer", "said"), [
    (formula, "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: 2 * formula(*given), "counted_twice"),
    (lambda *given: formula(*given[:5]), "groups_missing"), (lambda *given: formula(*given) + 1, "not_so"),
])  # fmt: skip
def test_the_work_of_a_convolution(answer, said, checks, capsys):
    space, keys = checks
    space["check_formula"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def summed(network, size, remove=True, groups=True):
    found, hooks = [], []
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            hooks.append(part.register_forward_hook(lambda part, _, output: found.append(
                part.weight.numel() * (1 if groups else part.groups) * output.shape[2] * output.shape[3])))  # fmt: skip
    network(torch.zeros(1, 3, size, size))
    for hook in hooks if remove else ():
        hook.remove()
    return sum(found)


@pytest.mark.parametrize(("answer", "said"), [
    (summed, "right"), (lambda network, size: None, "nothing_returned"),
    (lambda *given: summed(*given, remove=False), "hooks_left"),
    (lambda *given: summed(*given, groups=False), "not_so"),
    (lambda network, size: 63_799_296, "not_so"),
])  # fmt: skip
def test_the_work_of_a_network(answer, said, checks, capsys):
    space, keys = checks
    space["check_sum"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def latency(network, pixels, mode=True, gradients=False, skip=1, calls=6, scale=1000, middle=statistics.median):
    seconds = []
    network.train(not mode)
    with torch.set_grad_enabled(gradients):
        for _ in range(calls):
            started = time.perf_counter()
            network(pixels)
            seconds.append(time.perf_counter() - started)
    return scale * middle(seconds[skip:])


@pytest.mark.parametrize(("change", "said"), [
    ({}, "right"), ({"calls": 12}, "right"), ({"mode": False}, "training_mode"), ({"gradients": True}, "gradients_on"),
    ({"calls": 4}, "too_few_calls"), ({"scale": 1}, "seconds"), ({"middle": statistics.mean}, "mean_taken"),
    ({"middle": sum}, "first_call"),
])  # fmt: skip
def test_latency(change, said, checks, capsys):
    space, keys = checks
    space["check_latency"](lambda network, pixels: latency(network, pixels, **change))
    assert answer_of(capsys.readouterr().out, keys) == said


def test_no_latency_yet(checks, capsys):
    space, keys = checks
    space["check_latency"](lambda network, pixels: None)
    assert answer_of(capsys.readouterr().out, keys) == "nothing_returned"


def without_head(name):
    network = models.get_model(name, weights=None)
    head = network.fc if hasattr(network, "fc") else network.classifier
    return sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in head.parameters())


@pytest.mark.parametrize(("answer", "said"), [
    (without_head, "right"), (lambda name: None, "nothing_returned"), (lambda name: 5, "not_so"),
    (lambda name: sum(p.numel() for p in models.get_model(name, weights=None).parameters()), "head_counted"),
])  # fmt: skip
def test_parameters_without_the_head(answer, said, checks, capsys):
    space, keys = checks
    space["check_backbone"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
