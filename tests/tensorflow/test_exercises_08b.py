"""The checks of lesson 08b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "keras": keras, "layers": layers, "tensor": tf.convert_to_tensor}
    return read_checks("08b_when_adaptation_harms", "tensorflow", names)


def pseudo_labels(logits, share, by_class=True, surest=True):
    probabilities = keras.ops.softmax(logits)
    sure, said = keras.ops.max(probabilities, 1).numpy(), keras.ops.argmax(probabilities, 1).numpy()
    sure = sure if surest else -sure
    groups = [np.flatnonzero(said == c) for c in np.unique(said)] if by_class else [np.arange(len(said))]
    chosen = np.concatenate([g[np.argsort(-sure[g])[: int(np.ceil(share * len(g)))]] for g in groups])
    return tf.constant(chosen), tf.constant(said[chosen])


@pytest.mark.parametrize(("answer", "said"), [
    (pseudo_labels, "right"), (lambda logits, share: [part.numpy() for part in pseudo_labels(logits, share)], "right"),
    (lambda logits, share: None, "two_lists"), (lambda logits, share: pseudo_labels(logits, share)[0], "two_lists"),
    (lambda logits, share: (tf.range(len(logits)), tf.argmax(logits, 1)), "all_taken"),
    (lambda logits, share: pseudo_labels(logits, share, by_class=False), "not_by_class"),
    (lambda logits, share: pseudo_labels(logits, share / 2), "wrong_counts"),
    (lambda logits, share: pseudo_labels(logits, share, surest=False), "not_the_surest"),
    (lambda logits, share: (pseudo_labels(logits, share)[0], 0 * pseudo_labels(logits, share)[1]), "other_classes"),
])  # fmt: skip
def test_pseudo_labels(answer, said, checks, capsys):
    space, keys = checks
    space["check_pseudo_labels"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def unfreeze(model, parts, asleep=layers.BatchNormalization, others=False):
    model.trainable = True
    for layer in model.layers:
        named = others or any(layer.name.startswith(part) for part in parts)
        layer.trainable = named and not (asleep and isinstance(layer, asleep))


@pytest.mark.parametrize(("answer", "said"), [
    (unfreeze, "right"), (lambda model, parts: unfreeze(model, parts, asleep=None), "batch_norm_learns"),
    (lambda model, parts: unfreeze(model, parts, others=True), "too_much_learns"),
    (lambda *given: None, "too_much_learns"),
    (lambda model, parts: unfreeze(model, parts[1:]), "too_little_learns"),
])  # fmt: skip
def test_unfreeze(answer, said, checks, capsys):
    space, keys = checks
    space["check_unfreeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def shares_of(confusion, predicted):
    shares = keras.ops.maximum(keras.ops.solve(confusion, predicted), 0)
    return shares / keras.ops.sum(shares)


@pytest.mark.parametrize(("answer", "said"), [
    (shares_of, "right"), (lambda m, q: shares_of(m, q).numpy(), "right"), (lambda m, q: None, "three_shares"),
    (lambda m, q: m, "three_shares"), (lambda m, q: q, "only_counted"),
    (lambda m, q: shares_of(tf.transpose(m), q), "wrong_shares"),
    (keras.ops.solve, "negative_share"), (lambda m, q: tf.maximum(keras.ops.solve(m, q), 0), "not_one"),
])  # fmt: skip
def test_shares(answer, said, checks, capsys):
    space, keys = checks
    space["check_shares"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
