"""The checks of lesson 03a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR
from torchvision import models

from tests.exercises import answer_of, read_checks


def course_of(make_schedule, steps=100):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = make_schedule(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "optim": optim, "np": np, "models": models, "course_of": course_of}
    return read_checks("03a_fine_tuning", "pytorch", names)


def open_parts(net, parts=("layer4", "fc"), sleep=True, norms=True):
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name.startswith(parts)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.train(not sleep)
            part.requires_grad_(norms and part.weight.requires_grad)


@pytest.mark.parametrize(("answer", "said"), [
    (open_parts, "right"), (lambda net: open_parts(net, norms=False), "right"),
    (lambda net: None, "too_much_learns"), (lambda net: open_parts(net, ("layer3", "layer4", "fc")), "too_much_learns"),
    (lambda net: open_parts(net, ("fc",)), "too_little_learns"),
    (lambda net: open_parts(net, sleep=False), "batch_norm_awake"),
])  # fmt: skip
def test_the_last_stage_learns(answer, said, checks, capsys):
    space, keys = checks
    space["check_last_stage"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def groups(net, rate, factor=10, frozen=False, head=True):
    *body, last = net.children()
    weights = [weight for part in body for weight in part.parameters() if frozen or weight.requires_grad]
    found = [{"params": iter(weights), "lr": rate}]
    return found + ([{"params": last.parameters(), "lr": factor * rate}] if head else [])


@pytest.mark.parametrize(("answer", "said"), [
    (groups, "right"), (lambda net, rate: tuple(groups(net, rate))[::-1], "right"), (lambda *given: None, "no_groups"),
    (lambda net, rate: list(net.parameters()), "no_groups"),
    (lambda *given: groups(*given, head=False), "weights_missing"),
    (lambda *given: groups(*given, frozen=True), "frozen_in_group"),
    (lambda *given: groups(*given, factor=0.1), "wrong_rates"),
])  # fmt: skip
def test_two_groups(answer, said, checks, capsys):
    space, keys = checks
    space["check_groups"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def both(optimizer, warmup, total, length=None):
    up = LinearLR(optimizer, 0.1, total_iters=warmup)
    return SequentialLR(optimizer, [up, CosineAnnealingLR(optimizer, length or total - warmup)], [warmup])


def by_formula(optimizer, warmup, total):
    return LambdaLR(optimizer, lambda k: (
        (k + 1) / warmup if k < warmup else (1 + np.cos(np.pi * (k - warmup) / (total - warmup))) / 2
    ))  # fmt: skip


@pytest.mark.parametrize(("answer", "said"), [
    (both, "right"), (by_formula, "right"), (lambda *given: None, "no_schedule"),
    (lambda optimizer, warmup, total: CosineAnnealingLR(optimizer, total), "no_warm_up"),
    (lambda optimizer, warmup, total: both(optimizer, 2 * warmup, total), "wrong_top"),
    (lambda *given: both(*given, length=200), "not_to_zero"),
    (lambda optimizer, warmup, total: LambdaLR(optimizer, lambda k: k / 20 if k < 20 else max(0, 1 - (k - 20) / 60)),
     "no_cosine"),
    (lambda optimizer, warmup, total: LambdaLR(optimizer, lambda k: k / 20 if k < 20 else 1 - (k - 20) / 80),
     "no_cosine"),  # a straight line, which meets the cosine in the middle
])  # fmt: skip
def test_a_schedule(answer, said, checks, capsys):
    space, keys = checks
    space["check_schedule"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
