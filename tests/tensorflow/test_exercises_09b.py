"""The checks of lesson 09b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks(
        "09b_graphs", "tensorflow", {"np": np, "tensor": tf.convert_to_tensor, "array": ops.convert_to_numpy}
    )


def agreement(logits, source, target, chance=None, sign=-1.0, ends=False):
    said = tf.argmax(logits, 1)
    shares = tf.math.bincount(tf.cast(tf.gather(said, source) if ends else said, "int32"), dtype="float32")
    by_chance = tf.reduce_sum((shares / tf.reduce_sum(shares)) ** 2) if chance is None else chance
    return tf.reduce_mean(tf.cast(tf.gather(said, source) == tf.gather(said, target), "float32")) + sign * by_chance


@pytest.mark.parametrize(("answer", "said"), [
    (agreement, "right"), (lambda *given: agreement(*given).numpy(), "right"), (lambda *given: None, "no_number"),
    (lambda *given: agreement(*given, chance=0.0), "only_alike"),
    (lambda *given: agreement(*given, chance=0.2), "even_chance"),
    (lambda *given: agreement(*given, sign=1.0), "added"),
    (lambda *given: agreement(*given, ends=True), "ends_counted"), (lambda *given: 0.5, "wrong_agreement"),
])  # fmt: skip
def test_agreement(answer, said, checks, capsys):
    space, keys = checks
    space["check_agreement"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def propagate(start, known, source, target, steps=50, *, hold=True, mean=True, least=1):
    rows = start
    for _ in range(steps):
        messages, nodes = tf.gather(rows, source), start.shape[0]
        add = tf.math.unsorted_segment_sum
        rows, count = add(messages, target, nodes), add(tf.ones(len(target)), target, nodes)
        rows = rows / tf.maximum(count, least)[:, None] if mean else rows
        rows = tf.where(known[:, None], start, rows) if hold else rows
    return rows


def by_matrix(start, known, source, target, steps=50):
    matrix, rows = np.zeros((len(start), len(start)), "float32"), start
    np.add.at(matrix, (target.numpy(), source.numpy()), 1)
    matrix /= np.maximum(matrix.sum(1, keepdims=True), 1)
    for _ in range(steps):
        rows = tf.where(known[:, None], start, matrix @ rows)
    return rows


@pytest.mark.parametrize(("answer", "said"), [
    (propagate, "right"), (by_matrix, "right"), (lambda *given, steps: None, "rows_shape"),
    (lambda *given, steps: tf.argmax(propagate(*given, steps), 1), "rows_shape"),
    (lambda *given, steps: propagate(*given, steps, hold=False), "not_held"),
    (lambda *given, steps: propagate(*given, steps, mean=False), "sums"),
    (lambda *given, steps: propagate(*given, steps, least=0), "nan"),
    (lambda *given, steps: propagate(*given, 1), "wrong_rows"),
])  # fmt: skip
def test_propagate(answer, said, checks, capsys):
    space, keys = checks
    space["check_propagate"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def may_carry(source, target, asked, both=True):
    gone = {tuple(pair) for pair in asked.numpy().tolist()}
    gone |= {(b, a) for a, b in gone} if both else set()
    keep = [edge not in gone for edge in zip(source.numpy().tolist(), target.numpy().tolist(), strict=True)]
    return tf.boolean_mask(source, keep), tf.boolean_mask(target, keep)


def of_no_asked_node(source, target, asked):
    keep = ~(np.isin(source, asked) | np.isin(target, asked))
    return source[keep], target[keep]


@pytest.mark.parametrize(("answer", "said"), [
    (may_carry, "right"), (lambda *given: [part[::-1] for part in may_carry(*given)], "right"),
    (lambda *given: tf.stack(may_carry(*given)), "right"), (lambda *given: None, "no_edges"),
    (lambda *given: given[:2], "still_leaks"), (lambda *given: may_carry(*given, both=False), "still_leaks"),
    (of_no_asked_node, "lost_edges"), (lambda *given: (given[0], given[1][:3]), "no_edges"),
])  # fmt: skip
def test_which_edges_may_carry(answer, said, checks, capsys):
    space, keys = checks
    space["check_may_carry"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
