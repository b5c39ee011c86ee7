"""Lesson 12's average precision, taken from its cells, gives what torchmetrics and COCO's own program give."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "en" / "12_other_tasks_pytorch.ipynb"
COCO = np.linspace(0.5, 0.95, 10)


@pytest.fixture(scope="module")
def lesson():
    """The functions of the lesson's cells, without what the cells do with them."""
    space = {"np": np}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        code = "".join(cell["source"])
        for name in ("overlaps", "hits_of", "average_precision", "mean_average_precision"):
            if cell["cell_type"] == "code" and f"def {name}(" in code:
                start = code.index(f"def {name}(")
                end = code.find("\n\n\n", start)
                exec(code[start : end if end > 0 else None].split("\n\nCOCO")[0], space)
    return space


def boxes_near(true, rng, spread):
    """Boxes about the true ones, and some elsewhere."""
    wild = rng.uniform(0, 0.7, (rng.integers(0, 4), 2))
    boxes = np.concatenate([true + rng.normal(0, spread, true.shape), np.hstack([wild, wild + 0.2])])
    return np.hstack([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:]) + 0.01])


def made_up(seed, pictures=12, classes=3, ties=False):
    """Random true boxes and answers of several pictures and classes; with `ties` the scores have one digit."""
    rng = np.random.default_rng(seed)
    found, boxes, kinds = [], [], []
    for _ in range(pictures):
        corners = rng.uniform(0, 0.7, (rng.integers(0, 5), 2))
        boxes.append(np.hstack([corners, corners + rng.uniform(0.1, 0.3, corners.shape)]))
        kinds.append(rng.integers(0, classes, len(corners)))
        here = np.concatenate([boxes_near(boxes[-1], rng, spread) for spread in (0.01, 0.03)])
        guess = np.resize(kinds[-1] if len(kinds[-1]) else [0], len(here))
        guess = np.where(rng.random(len(here)) < 0.2, rng.integers(0, classes, len(here)), guess)
        score = rng.random(len(here))
        found.append((here, score.round(1) if ties else score, guess))
    return found, boxes, kinds


def by_torchmetrics(found, boxes, kinds, thresholds):
    detection = pytest.importorskip("torchmetrics.detection", reason="torchmetrics with pycocotools is not installed")
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    # torchmetrics makes both lists in single precision, where 0.1 is not COCO's 0.1; here they are COCO's
    metric = detection.MeanAveragePrecision(
        iou_thresholds=list(thresholds), rec_thresholds=np.linspace(0, 1, 101).tolist()
    )
    said = [
        {"boxes": torch.tensor(here), "scores": torch.tensor(score), "labels": torch.tensor(guess)}
        for here, score, guess in found
    ]
    truth = [
        {"boxes": torch.tensor(here), "labels": torch.tensor(kind)} for here, kind in zip(boxes, kinds, strict=True)
    ]
    metric.warn_on_many_detections = False
    metric.update(said, truth)
    return metric.compute()["map"].item()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_torchmetrics_computes(seed, ties, lesson):
    found, boxes, kinds = made_up(seed, ties=ties)
    for thresholds in ([0.5], [0.75], COCO):
        ours = lesson["mean_average_precision"](found, boxes, kinds, thresholds)
        assert 0.02 < ours < 0.98
        assert abs(ours - by_torchmetrics(found, boxes, kinds, thresholds)) < 1e-6


def test_more_than_a_hundred_boxes_in_a_picture(lesson):
    rng = np.random.default_rng(0)
    true = np.array([[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]])
    here = np.concatenate([true + rng.normal(0, 0.05, (2, 4)) for _ in range(80)])
    found = [(here, rng.random(len(here)), np.tile([0, 1], 80)), (here[:4], rng.random(4), np.array([0, 1, 0, 1]))]
    boxes, kinds = [true, true], [np.array([0, 0]), np.array([0, 1])]
    ours = lesson["mean_average_precision"](found, boxes, kinds, COCO)
    assert abs(ours - by_torchmetrics(found, boxes, kinds, COCO)) < 1e-6


def test_the_ends_of_the_scale(lesson):
    true = [np.array([[0.1, 0.1, 0.5, 0.5]])]
    kinds = [np.array([0])]
    right, nothing = (true[0], np.array([0.9]), kinds[0]), (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    assert lesson["mean_average_precision"]([right], true, kinds, COCO) == 1
    assert lesson["mean_average_precision"]([nothing], true, kinds, COCO) == 0
    twice = tuple(np.concatenate([part, part]) for part in right)
    assert lesson["mean_average_precision"]([twice], true, kinds, COCO) == 1  # a mistake after all hits costs nothing
