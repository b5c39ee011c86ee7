"""The checks of lesson 11b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn, optim

from tests.exercises import answer_of, read_checks


def follow(name, gradient_of, start, steps, lr):
    """The lesson's function of that name, for Adam."""
    w = nn.Parameter(torch.tensor(start, dtype=torch.float32))
    optimizer = optim.Adam([w], lr)
    for _ in range(steps):
        w.grad = torch.tensor(gradient_of(None), dtype=torch.float32)
        optimizer.step()
    return w.detach().numpy()[None]


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "optim": optim, "np": np, "follow": follow, "EPSILON": 1e-8,
             "tensor": torch.from_numpy}  # fmt: skip
    return read_checks("11b_optimizers_and_schedules", "pytorch", names)


def adam(w, g, m, v, t, lr, correct=True, power=0.5, b1=0.9, b2=0.999, new=(0.1, 0.001)):
    m, v = b1 * m + new[0] * g, b2 * v + new[1] * g**2
    a, b = (m / (1 - b1**t), v / (1 - b2**t)) if correct else (m, v)
    return w - lr * a / (b**power + 1e-8), m, v


def adam_with_tensors(w, g, m, v, t, lr):
    return adam(*(torch.as_tensor(part) for part in (w, g, m, v)), t, lr)


@pytest.mark.parametrize(("answer", "said"), [
    (adam, "right"), (adam_with_tensors, "right"), (lambda *given: None, "three_parts"),
    (lambda *given: adam(*given)[0], "three_parts"), (lambda *given: adam(*given, correct=False), "no_correction"),
    (lambda *given: adam(*given, power=1), "no_root"), (lambda *given: adam(*given, new=(1, 1)), "sums"),
    (lambda w, g, m, v, t, lr: (w - lr * g, m, v), "another_way"),
])  # fmt: skip
def test_adam(answer, said, checks, capsys):
    space, keys = checks
    space["check_adam"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def groups(net, decay=0.1, kind=optim.AdamW, is_matrix=lambda name, p: p.ndim > 1, drop=False):
    matrices = [p for name, p in net.named_parameters() if is_matrix(name, p)]
    others = [p for name, p in net.named_parameters() if not is_matrix(name, p)]
    parts = [{"params": others}, {"params": matrices, "weight_decay": decay}]
    return kind(parts[drop:], lr=0.01, weight_decay=0.0)


@pytest.mark.parametrize(("answer", "said"), [
    (groups, "right"), (lambda net: groups(net, is_matrix=lambda name, p: name in ("0.weight", "3.weight")), "right"),
    (lambda net: None, "no_optimizer"), (lambda net: groups(net, is_matrix=lambda name, p: True), "decays_too"),
    (lambda net: groups(net, is_matrix=lambda name, p: "weight" in name), "decays_too"),
    (lambda net: groups(net, drop=True), "not_held"), (lambda net: groups(net, kind=optim.Adam), "coupled"),
    (lambda net: groups(net, decay=0.01), "decay_size"), (lambda net: groups(net, decay=0.0), "decay_size"),
])  # fmt: skip
def test_decay(answer, said, checks, capsys):
    space, keys = checks
    space["check_decay"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def cosine(step, steps, warmup):
    return (step + 1) / warmup if step < warmup else (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2


def plan(part):
    return lambda optimizer, steps, warmup: optim.lr_scheduler.LambdaLR(optimizer, lambda k: part(k, steps, warmup))


def in_sequence(optimizer, steps, warmup, start=1e-4, over=0):
    rise = optim.lr_scheduler.LinearLR(optimizer, start, total_iters=warmup)
    fall = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warmup + over)
    return optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [warmup])


@pytest.mark.parametrize(("answer", "said"), [
    (plan(cosine), "right"), (in_sequence, "right"), (lambda *given, **more: None, "no_schedule"),
    (lambda o, steps, warmup: optim.lr_scheduler.CosineAnnealingLR(o, steps), "no_warmup"),
    (lambda *given, **more: in_sequence(*given, **more, over=20), "end_of_cosine"),
    (plan(lambda k, n, w: cosine(k, n, 2 * w)), "warmup_shape"),
    (plan(lambda k, n, w: (k + 1) / w if k < w else (n - k) / (n - w)), "not_cosine"),
])  # fmt: skip
def test_a_schedule(answer, said, checks, capsys):
    space, keys = checks
    space["check_schedule"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
