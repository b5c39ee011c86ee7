"""The checks of lesson 06b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "torch": torch, "nn": nn, "optim": optim, "F": F, "to_tensor": torch.tensor}
    return read_checks("06b_comparing_models", "pytorch", names)


def alone(a, b, y):
    a, b = a.argmax(1) == y, b.argmax(1) == y
    return (a & ~b).sum(), (b & ~a).sum()


def with_numpy(a, b, y):
    a, b = (np.argmax(values.numpy(), 1) == y.numpy() for values in (a, b))
    return np.sum(a > b), np.sum(b > a)


@pytest.mark.parametrize(("answer", "said"), [
    (alone, "right"), (with_numpy, "right"), (lambda a, b, y: [k.item() for k in alone(a, b, y)], "right"),
    (lambda *given: None, "two_numbers"), (lambda a, b, y: alone(b, a, y), "swapped"),
    (lambda a, b, y: [(x.argmax(1) == y).sum() for x in (a, b)], "not_alone"),
    (lambda a, b, y: [k / 200 for k in alone(a, b, y)], "shares"),
    (lambda a, b, y: [(a.argmax(1) != b.argmax(1)).sum()] * 2, "both_wrong"), (lambda *given: (3, 4), "other_counts"),
])  # fmt: skip
def test_images_that_only_one_gets_right(answer, said, checks, capsys):
    space, keys = checks
    space["check_counts"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def size(tensors):
    return sum(tensor.nbytes for tensor in tensors)


def gradients(model):
    return size(p.grad for p in model.parameters() if p.grad is not None)


def states(optimizer):
    return size(v for state in optimizer.state.values() for v in state.values() if torch.is_tensor(v))


def without_steps(optimizer):
    return size(v for state in optimizer.state_dict()["state"].values() for v in state.values() if v.dim())


@pytest.mark.parametrize(("answer", "said"), [
    (lambda m, o: size(m.parameters()) + gradients(m) + states(o), "right"),
    (lambda m, o: size(m.state_dict().values()) + gradients(m) + without_steps(o), "right"),
    (lambda m, o: None, "a_number"), (lambda m, o: size(m.parameters()) + states(o), "no_gradients"),
    (lambda m, o: size(m.parameters()) + gradients(m), "no_state"),
    (lambda m, o: 2 * size(m.parameters()) + states(o), "frozen_gradients"),
    (lambda m, o: size(m[1].parameters()) + gradients(m) + states(o), "no_frozen"),
    (lambda m, o: (size(m.parameters()) + gradients(m) + states(o)) // 4, "numbers"), (lambda m, o: 1, "other_bytes"),
])  # fmt: skip
def test_bytes_in_training(answer, said, checks, capsys):
    space, keys = checks
    space["check_bytes"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def weighted(logits, y, w):
    return (F.cross_entropy(logits, y, reduction="none") * w).sum() / w.sum()


@pytest.mark.parametrize(("answer", "said"), [
    (weighted, "right"), (lambda *given: weighted(*given).item(), "right"),
    (lambda z, y, w: -(z.log_softmax(1)[range(len(y)), y] * w / w.sum()).sum(), "right"),
    (lambda *given: None, "one_number"), (lambda z, y, w: F.cross_entropy(z, y, reduction="none") * w, "one_number"),
    (lambda z, y, w: F.cross_entropy(z, y), "no_weights"), (lambda z, y, w: weighted(z, y, w) * w.sum(), "sum_only"),
    (lambda z, y, w: (F.cross_entropy(z, y, reduction="none") * w).mean(), "not_divided"),
    (lambda z, y, w: weighted(z.softmax(1), y, w), "other_loss"),
])  # fmt: skip
def test_a_weighted_loss(answer, said, checks, capsys):
    space, keys = checks
    space["check_loss"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
