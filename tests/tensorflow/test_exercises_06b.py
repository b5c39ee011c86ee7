"""The checks of lesson 06b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "keras": keras, "layers": layers, "to_tensor": ops.convert_to_tensor}
    return read_checks("06b_comparing_models", "tensorflow", names)


def alone(a, b, y):
    a, b = (ops.equal(ops.argmax(values, -1), ops.cast(y, "int32")) for values in (a, b))
    return ops.sum(ops.cast(a & ~b, "int32")), ops.sum(ops.cast(b & ~a, "int32"))


def with_numpy(a, b, y):
    a, b = (np.argmax(values, 1) == np.array(y) for values in (a, b))
    return int(np.sum(a & ~b)), int(np.sum(b & ~a))


@pytest.mark.parametrize(("answer", "said"), [
    (alone, "right"), (with_numpy, "right"), (lambda *given: None, "two_numbers"),
    (lambda a, b, y: alone(b, a, y), "swapped"), (lambda a, b, y: [k / 200 for k in alone(a, b, y)], "shares"),
    (lambda a, b, y: [np.sum(np.argmax(x, 1) == np.array(y)) for x in (a, b)], "not_alone"),
    (lambda a, b, y: [np.sum(np.argmax(a, 1) != np.argmax(b, 1))] * 2, "both_wrong"),
    (lambda *given: (3, 4), "other_counts"),
])  # fmt: skip
def test_images_that_only_one_gets_right(answer, said, checks, capsys):
    space, keys = checks
    space["check_counts"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def size(weights):
    return sum(ops.size(weight) * np.dtype(weight.dtype).itemsize for weight in weights)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda m, o: size([*m.weights, *m.trainable_weights, *o.variables]), "right"),
    (lambda m, o: sum(w.numpy().nbytes for w in m.weights + m.trainable_variables + o.variables[2:]), "right"),
    (lambda m, o: None, "a_number"), (lambda m, o: size([*m.weights, *o.variables]), "no_gradients"),
    (lambda m, o: size([*m.weights, *m.trainable_weights]), "no_state"),
    (lambda m, o: size([*m.weights, *m.weights, *o.variables]), "frozen_gradients"),
    (lambda m, o: size([*m.trainable_weights, *m.trainable_weights, *o.variables]), "no_frozen"),
    (lambda m, o: 1, "other_bytes"),
])  # fmt: skip
def test_bytes_in_training(answer, said, checks, capsys):
    space, keys = checks
    space["check_bytes"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def each(logits, y):
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


def by_object(z, y, w):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return loss(y, z, sample_weight=w) * len(w) / ops.sum(w)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda z, y, w: ops.sum(each(z, y) * w) / ops.sum(w), "right"), (by_object, "right"),
    (lambda z, y, w: float(np.average(each(z, y), weights=w)), "right"),
    (lambda *given: None, "one_number"), (lambda z, y, w: each(z, y) * w, "one_number"),
    (lambda z, y, w: ops.mean(each(z, y)), "no_weights"), (lambda z, y, w: ops.sum(each(z, y) * w), "sum_only"),
    (lambda z, y, w: ops.mean(each(z, y) * w), "not_divided"),
    (lambda z, y, w: ops.sum(keras.losses.sparse_categorical_crossentropy(y, z) * w) / ops.sum(w), "other_loss"),
])  # fmt: skip
def test_a_weighted_loss(answer, said, checks, capsys):
    space, keys = checks
    space["check_loss"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
