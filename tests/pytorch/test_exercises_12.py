"""The checks of lesson 12's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torchvision import ops

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "tensor": torch.as_tensor, "FRAMEWORK": "pytorch"}
    return read_checks("12_other_tasks", "pytorch", names)


def centres(maps, tiny=1e-6, sides=(4, 2), swap=False):
    maps = maps + tiny
    u, v = ((torch.arange(n) + 0.5) / side for n, side in zip((4, 2), sides, strict=True))
    total = maps.sum((2, 3))
    x, y = (maps.sum(2) @ u) / total, (maps.sum(3) @ v) / total
    return torch.cat([y, x] if swap else [x, y], 1)


def centres_by_grid(maps):
    y, x = torch.meshgrid((torch.arange(2) + 0.5) / 2, (torch.arange(4) + 0.5) / 4, indexing="ij")
    weights = maps.flatten(2) / maps.flatten(2).sum(2, keepdim=True).clamp(min=1e-9)
    return np.concatenate([weights @ x.flatten(), weights @ y.flatten()], 1)


@pytest.mark.parametrize(("answer", "said"), [
    (centres, "right"), (centres_by_grid, "right"), (lambda maps: None, "centres_shape"),
    (lambda maps: maps.mean((2, 3)), "centres_shape"), (lambda maps: centres(maps, tiny=0), "centres_nan"),
    (lambda maps: centres(maps, swap=True), "centres_swapped"), (lambda maps: centres(maps) + 0.1, "centres_wrong"),
    (lambda maps: centres(maps, sides=(1, 1)) - 0.5, "centres_cells"),
])  # fmt: skip
def test_centres(answer, said, checks, capsys):
    space, keys = checks
    space["check_centres"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def iou(logits, masks, over=(1, 2), least=0.0):
    said, real = logits > least, masks.bool()
    return (said & real).sum(over) / (said | real).sum(over)


def dice(logits, masks):
    return 2 * ((logits > 0) * masks).sum((1, 2)) / ((logits > 0).float() + masks).sum((1, 2))


@pytest.mark.parametrize(("answer", "said"), [
    (iou, "right"), (lambda z, y: [iou(a[None], b[None]).item() for a, b in zip(z, y, strict=True)], "right"),
    (lambda z, y: (z.sigmoid().round() * y).sum((1, 2)) / (z.sigmoid().round() + y).clamp(max=1).sum((1, 2)), "right"),
    (lambda z, y: None, "mask_shape"), (lambda z, y: (z > 0) & (y > 0), "mask_shape"),
    (lambda z, y: iou(z, y, over=(0, 1, 2)), "mask_whole"), (lambda z, y: iou(z, y).mean(), "mask_scalar"),
    (lambda z, y: iou(z, y, least=0.5), "mask_threshold"), (dice, "mask_dice"),
    (lambda z, y: iou(z, y) ** 2, "mask_wrong"),
    (lambda z, y: ((z > 0) == (y > 0)).float().mean((1, 2)), "mask_accuracy"),
])  # fmt: skip
def test_mask_iou(answer, said, checks, capsys):
    space, keys = checks
    space["check_mask_iou"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def suppress(boxes, scores, limit, revive=True):
    iou, order = ops.box_iou(boxes, boxes), scores.argsort(descending=True).tolist()
    keep = []
    for k, i in enumerate(order):
        rivals = keep if revive else order[:k]
        if all(iou[i, j] <= limit for j in rivals):
            keep.append(i)
    return keep


@pytest.mark.parametrize(("answer", "said"), [
    (suppress, "right"), (ops.nms, "right"), (lambda b, s, t: torch.tensor(suppress(b, s, t)), "right"),
    (lambda b, s, t: None, "keep_shape"), (lambda b, s, t: sorted(suppress(b, s, t)), "keep_order"),
    (lambda b, s, t: s.argsort(descending=True), "keep_all"), (lambda b, s, t: [s.argmax()], "keep_one"),
    (lambda b, s, t: suppress(b, s, t, revive=False), "keep_dead"), (lambda b, s, t: [3, 4], "keep_wrong"),
])  # fmt: skip
def test_suppression(answer, said, checks, capsys):
    space, keys = checks
    space["check_suppress"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
