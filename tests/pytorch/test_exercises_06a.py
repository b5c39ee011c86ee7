"""The checks of lesson 06a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchvision import ops

from tests.exercises import answer_of, read_checks
from tlhelpers.numbers import percent


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "sk": sk, "percent": percent, "tensor": torch.from_numpy}
    return read_checks("06a_measuring_a_model", "pytorch", names)


def f1(batches, positive=0):
    counts = torch.zeros(3)
    for logits, labels in batches:
        says, truth = logits.argmax(1) == positive, labels == positive
        counts += torch.stack([(says & truth).sum(), (says & ~truth).sum(), (~says & truth).sum()])
    return 2 * counts[0] / (2 * counts[0] + counts[1] + counts[2])


def f1_of_sklearn(batches):
    labels, said = (np.concatenate(parts) for parts in zip(*((y, z.argmax(1)) for z, y in batches), strict=True))
    return sk.f1_score(labels, said, pos_label=0)


@pytest.mark.parametrize(("answer", "said"), [
    (f1, "right"), (f1_of_sklearn, "right"), (lambda batches: None, "no_number"),
    (lambda batches: np.mean([f1([batch]) for batch in batches]), "mean_of_batches"),
    (lambda batches: f1(batches, positive=1), "other_class"), (lambda batches: f1(batches).reshape(1), "right"),
    (lambda batches: np.mean(np.concatenate([z.argmax(1) == y for z, y in batches])), "only_accuracy"),
    (lambda batches: 0.5, "wrong_f1"), (lambda batches: torch.zeros(2), "no_number"),
])  # fmt: skip
def test_f1_over_batches(answer, said, checks, capsys):
    space, keys = checks
    space["check_f1"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def threshold(scores, is_cat, wanted):
    cats = scores[is_cat].sort(descending=True).values
    return cats[int(np.ceil(wanted * len(cats) - 1e-6)) - 1]


def threshold_by_trial(scores, is_cat, wanted):
    return max(t.item() for t in scores if (scores[is_cat] >= t).double().mean() >= wanted - 1e-9)


@pytest.mark.parametrize(("answer", "said"), [
    (threshold, "right"), (threshold_by_trial, "right"), (lambda *given: None, "no_number"),
    (lambda *given: threshold(*given) + 0.1, "too_high"), (lambda *given: threshold(*given) - 0.5, "too_low"),
    (lambda scores, is_cat, wanted: scores.min(), "too_low"),
    (lambda scores, is_cat, wanted: scores[is_cat].quantile(wanted), "too_high"),  # from the wrong end
])  # fmt: skip
def test_a_threshold(answer, said, checks, capsys):
    space, keys = checks
    space["check_threshold"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def iou(a, b, least=0, twice=False):
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    shared = (sides if least is None else sides.clamp(min=least)).prod(1)
    areas = ((c[:, 2:] - c[:, :2]).prod(1) for c in (a, b))
    return shared / (sum(areas) - (0 if twice else shared))


@pytest.mark.parametrize(("answer", "said"), [
    (iou, "right"), (lambda a, b: ops.box_iou(a, b).diag(), "right"), (lambda a, b: None, "iou_shape"),
    (ops.box_iou, "iou_shape"), (lambda a, b: iou(a, b, least=None), "iou_apart"),
    (lambda a, b: iou(a, b, twice=True), "iou_equal"), (lambda a, b: iou(a, b).sqrt(), "iou_wrong"),
    (lambda a, b: [iou(x[None], y[None]).item() for x, y in zip(a, b, strict=True)], "right"),
])  # fmt: skip
def test_iou(answer, said, checks, capsys):
    space, keys = checks
    space["check_iou"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
