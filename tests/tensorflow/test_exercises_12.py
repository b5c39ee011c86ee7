"""The checks of lesson 12's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "tensor": tf.convert_to_tensor, "FRAMEWORK": "tensorflow"}
    return read_checks("12_other_tasks", "tensorflow", names)


def centres(maps, tiny=1e-6, sides=(4, 2), swap=False):
    maps = maps + tiny
    u, v = ((tf.range(n, dtype="float32") + 0.5) / side for n, side in zip((4, 2), sides, strict=True))
    total = tf.reduce_sum(maps, (1, 2))
    x, y = tf.einsum("nijk,j->nk", maps, u) / total, tf.einsum("nijk,i->nk", maps, v) / total
    return tf.concat([y, x] if swap else [x, y], 1)


def centres_by_numpy(maps):
    maps = np.asarray(maps)
    total = np.maximum(maps.sum((1, 2)), 1e-9)
    x, y = maps.sum(1).transpose(0, 2, 1) @ [0.125, 0.375, 0.625, 0.875], maps.sum(2).transpose(0, 2, 1) @ [0.25, 0.75]
    return np.hstack([x / total, y / total])


@pytest.mark.parametrize(("answer", "said"), [
    (centres, "right"), (centres_by_numpy, "right"), (lambda maps: None, "centres_shape"),
    (lambda maps: tf.reduce_mean(maps, (1, 2)), "centres_shape"), (lambda maps: centres(maps, tiny=0), "centres_nan"),
    (lambda maps: centres(maps, swap=True), "centres_swapped"), (lambda maps: centres(maps) + 0.1, "centres_wrong"),
    (lambda maps: centres(maps, sides=(1, 1)) - 0.5, "centres_cells"),
])  # fmt: skip
def test_centres(answer, said, checks, capsys):
    space, keys = checks
    space["check_centres"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def iou(logits, masks, over=(1, 2), least=0.0):
    said, real = tf.cast(logits > least, "float32"), masks
    return tf.reduce_sum(said * real, over) / tf.reduce_sum(tf.maximum(said, real), over)


def iou_of_keras(logits, masks):
    values = []
    for z, y in zip(logits, masks, strict=True):
        metric = keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5)
        metric.update_state(y, tf.sigmoid(z))
        values.append(metric.result())
    return tf.stack(values)


def dice(logits, masks):
    said = tf.cast(logits > 0, "float32")
    return 2 * tf.reduce_sum(said * masks, (1, 2)) / tf.reduce_sum(said + masks, (1, 2))


@pytest.mark.parametrize(("answer", "said"), [
    (iou, "right"), (iou_of_keras, "right"), (lambda z, y: None, "mask_shape"),
    (lambda z, y: iou(z, y, over=(0, 1, 2)), "mask_whole"), (lambda z, y: tf.reduce_mean(iou(z, y)), "mask_scalar"),
    (lambda z, y: iou(z, y, least=0.5), "mask_threshold"), (dice, "mask_dice"),
    (lambda z, y: iou(z, y) ** 2, "mask_wrong"),
    (lambda z, y: tf.reduce_mean(tf.cast((z > 0) == (y > 0), "float32"), (1, 2)), "mask_accuracy"),
])  # fmt: skip
def test_mask_iou(answer, said, checks, capsys):
    space, keys = checks
    space["check_mask_iou"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def suppress(boxes, scores, limit, revive=True):
    iou = keras.utils.bounding_boxes.compute_iou(boxes, boxes, bounding_box_format="xyxy").numpy()
    order, keep = tf.argsort(scores, direction="DESCENDING").numpy().tolist(), []
    for k, i in enumerate(order):
        if all(iou[i, j] <= limit for j in (keep if revive else order[:k])):
            keep.append(i)
    return keep


@pytest.mark.parametrize(("answer", "said"), [
    (suppress, "right"), (lambda b, s, t: tf.image.non_max_suppression(b, s, 100, t), "right"),
    (lambda b, s, t: None, "keep_shape"), (lambda b, s, t: sorted(suppress(b, s, t)), "keep_order"),
    (lambda b, s, t: tf.argsort(s, direction="DESCENDING"), "keep_all"), (lambda b, s, t: [tf.argmax(s)], "keep_one"),
    (lambda b, s, t: suppress(b, s, t, revive=False), "keep_dead"), (lambda b, s, t: [3, 4], "keep_wrong"),
])  # fmt: skip
def test_suppression(answer, said, checks, capsys):
    space, keys = checks
    space["check_suppress"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
