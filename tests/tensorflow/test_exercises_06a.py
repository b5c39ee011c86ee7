"""The checks of lesson 06a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics as sk

from tests.exercises import answer_of, read_checks
from tlhelpers.numbers import percent


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "sk": sk, "percent": percent, "tensor": tf.constant}
    return read_checks("06a_measuring_a_model", "tensorflow", names)


def f1(batches, positive=0):
    metrics = [keras.metrics.Precision(), keras.metrics.Recall()]
    for logits, labels in batches:
        for metric in metrics:
            metric.update_state(labels == positive, keras.ops.argmax(logits, 1) == positive)
    precision, recall = (metric.result() for metric in metrics)
    return 2 * precision * recall / (precision + recall)


def f1_of_keras(batches):
    metric = keras.metrics.F1Score()  # one number a class
    for logits, labels in batches:
        metric.update_state(tf.one_hot(labels, 2), tf.nn.softmax(logits))
    return metric.result()[0]


@pytest.mark.parametrize(("answer", "said"), [
    (f1, "right"), (f1_of_keras, "right"), (lambda batches: None, "no_number"),
    (lambda batches: np.mean([float(f1([batch])) for batch in batches]), "mean_of_batches"),
    (lambda batches: f1(batches, positive=1), "other_class"), (lambda batches: tf.zeros(2), "no_number"),
    (lambda batches: np.mean(np.concatenate([np.argmax(z, 1) == y for z, y in batches])), "only_accuracy"),
    (lambda batches: 0.5, "wrong_f1"),
])  # fmt: skip
def test_f1_over_batches(answer, said, checks, capsys):
    space, keys = checks
    space["check_f1"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def threshold(scores, is_cat, wanted):
    cats = tf.sort(tf.boolean_mask(scores, is_cat), direction="DESCENDING")
    return cats[int(np.ceil(wanted * len(cats) - 1e-6)) - 1]


@pytest.mark.parametrize(("answer", "said"), [
    (threshold, "right"), (lambda s, c, w: np.sort(s[c])[::-1][int(np.ceil(w * c.numpy().sum() - 1e-6)) - 1], "right"),
    (lambda *given: None, "no_number"), (lambda *given: threshold(*given) + 0.1, "too_high"),
    (lambda *given: threshold(*given) - 0.5, "too_low"), (lambda s, c, w: tf.reduce_min(s), "too_low"),
    (lambda s, c, w: np.quantile(s[c], w), "too_high"),  # from the wrong end
])  # fmt: skip
def test_a_threshold(answer, said, checks, capsys):
    space, keys = checks
    space["check_threshold"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def iou(a, b, least=0.0, twice=False):
    sides = tf.minimum(a[:, 2:], b[:, 2:]) - tf.maximum(a[:, :2], b[:, :2])
    shared = tf.reduce_prod(sides if least is None else tf.maximum(sides, least), 1)
    areas = [tf.reduce_prod(c[:, 2:] - c[:, :2], 1) for c in (a, b)]
    return shared / (areas[0] + areas[1] - (0 if twice else shared))


def iou_of_keras(a, b):
    return keras.utils.bounding_boxes.compute_iou(a, b, bounding_box_format="xyxy")


@pytest.mark.parametrize(("answer", "said"), [
    (iou, "right"), (lambda a, b: np.diag(iou_of_keras(a, b)), "right"), (lambda a, b: None, "iou_shape"),
    (iou_of_keras, "iou_shape"), (lambda a, b: iou(a, b, least=None), "iou_apart"),
    (lambda a, b: iou(a, b, twice=True), "iou_equal"), (lambda a, b: iou(a, b) ** 0.5, "iou_wrong"),
])  # fmt: skip
def test_iou(answer, said, checks, capsys):
    space, keys = checks
    space["check_iou"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
