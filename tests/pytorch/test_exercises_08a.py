"""The checks of lesson 08a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks("08a_domain_adaptation", "pytorch", {"np": np, "torch": torch, "nn": nn, "tensor": torch.tensor})


def distance(logits, is_target, threshold=0):
    return 2 * (1 - 2 * ((logits > threshold).float() != is_target).float().mean())


@pytest.mark.parametrize(("answer", "said"), [
    (distance, "right"), (lambda z, t: 2 - 4 * np.mean((z.sigmoid() > 0.5).numpy() != t.bool().numpy()), "right"),
    (lambda z, t: None, "no_number"), (lambda z, t: z, "no_number"),
    (lambda z, t: -distance(z, t), "accuracy_for_error"),
    (lambda z, t: abs(distance(z, t)), "never_below_zero"), (lambda z, t: distance(z, t) / 2, "factor_two"),
    (lambda z, t: distance(z, t).clamp(min=0), "never_below_zero"), (lambda z, t: 0.3, "wrong_distance"),
    (lambda z, t: distance(z, t, 0.5), "logits_at_half"),
])  # fmt: skip
def test_a_distance(answer, said, checks, capsys):
    space, keys = checks
    space["check_distance"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def blend(adapted, old, share, of=lambda v: v, back=lambda v: v, layers=slice(None)):
    norms = [[m for m in net.modules() if isinstance(m, nn.BatchNorm2d)][layers] for net in (adapted, old)]
    for new, before in zip(*norms, strict=True):
        new.running_mean = share * new.running_mean + (1 - share) * before.running_mean
        new.running_var = back(share * of(new.running_var) + (1 - share) * of(before.running_var))


def blend_states(adapted, old, share):
    before, now = old.state_dict(), adapted.state_dict()
    mixed = {k: share * v + (1 - share) * before[k] if "running" in k else v for k, v in now.items()}
    adapted.load_state_dict(mixed)


@pytest.mark.parametrize(("answer", "said"), [
    (blend, "right"), (blend_states, "right"), (lambda a, o, s: None, "nothing_moved"),
    (lambda a, o, s: blend(o, a, s), "old_moved"), (lambda a, o, s: blend(a, o, 1 - s), "share_reversed"),
    (lambda a, o, s: blend(a, o, s, torch.sqrt, torch.square), "variance_wrong"),
    (lambda a, o, s: blend(a, o, s, layers=slice(1)), "layers_missed"),
])  # fmt: skip
def test_blended_statistics(answer, said, checks, capsys):
    space, keys = checks
    space["check_blend"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def mmd(x, y, width, power=2, between=2):
    def likeness(a, b):
        return torch.exp(-(torch.cdist(a, b) ** power) / width).mean()

    return likeness(x, x) + likeness(y, y) - between * likeness(x, y)


def mmd_in_loops(x, y, width):
    def likeness(a, b):
        return np.mean([np.exp(-float(((p - q) ** 2).sum()) / width) for p in a for q in b])

    return likeness(x, x) + likeness(y, y) - 2 * likeness(x, y)


@pytest.mark.parametrize(("answer", "said"), [
    (mmd, "right"), (mmd_in_loops, "right"), (lambda x, y, width: None, "no_number"),
    (lambda x, y, width: mmd(x, y, width, power=1), "not_squared"), (lambda x, y, width: 1.0, "wrong_mmd"),
    (lambda x, y, width: mmd(x, y, width, between=1), "twice_missing"), (lambda x, y, width: mmd(x, y, 1), "one_width"),
])  # fmt: skip
def test_mmd(answer, said, checks, capsys):
    space, keys = checks
    space["check_mmd"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
