"""The checks of lesson 10b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from scipy.special import softmax

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "softmax": softmax, "tensor": tf.constant, "keras": keras, "layers": layers}
    return read_checks("10b_words", "tensorflow", names)


def losses(logits, targets):
    return keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)


def real(codes):
    return tf.cast(codes > 0, "float32")


def of_keras(logits, targets):
    return ops.exp(keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)(targets, logits))


@pytest.mark.parametrize(("answer", "said"), [
    (lambda z, y: ops.exp(ops.sum(losses(z, y) * real(y)) / ops.sum(real(y))), "right"), (of_keras, "right"),
    (lambda z, y: np.exp(tf.boolean_mask(losses(z, y), y > 0).numpy().mean()), "right"),
    (lambda z, y: None, "no_number"), (lambda z, y: ops.exp(losses(z, y)), "no_number"),
    (lambda z, y: ops.exp(ops.mean(losses(z, y))), "padding_counts"), (lambda z, y: 1.0, "wrong_perplexity"),
    (lambda z, y: ops.mean(losses(z, y)[y > 0]), "no_exp"),
    (lambda z, y: ops.exp(ops.mean(losses(z, y) * real(y))), "of_zeros"),
    (lambda z, y: ops.exp(ops.mean(ops.sum(losses(z, y) * real(y), 1) / ops.sum(real(y), 1))), "word_by_word"),
    (lambda z, y: ops.exp(ops.mean(losses(z, y)[y > 0]) / np.log(2)), "mixed_bases"),
])  # fmt: skip
def test_perplexity(answer, said, checks, capsys):
    space, keys = checks
    space["check_perplexity"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def with_rows(embedding, extra, old=1.0, trainable=True, built=True):
    new = layers.Embedding(embedding.input_dim + extra, embedding.output_dim, trainable=trainable)
    if built:
        new.build((None,))
        new.embeddings.assign(ops.concatenate([old * embedding.embeddings, ops.ones((extra, embedding.output_dim))]))
    return new


def spoilt(embedding, extra):
    new = with_rows(embedding, extra)
    embedding.embeddings.assign(ops.zeros_like(embedding.embeddings))
    return new


@pytest.mark.parametrize(("answer", "said"), [
    (with_rows, "right"), (lambda e, extra: None, "no_layer"), (lambda e, extra: e, "no_layer"),
    (lambda e, extra: with_rows(e, extra).embeddings, "no_layer"), (lambda e, extra: with_rows(e, 1), "wrong_rows"),
    (lambda e, extra: with_rows(e, extra, built=False), "wrong_rows"),
    (lambda e, extra: with_rows(e, extra, old=0.9), "old_rows"),
    (lambda e, extra: with_rows(e, extra, trainable=False), "frozen_rows"), (spoilt, "old_layer"),
])  # fmt: skip
def test_new_rows(answer, said, checks, capsys):
    space, keys = checks
    space["check_grow"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def of_pooling(states, codes):
    return layers.GlobalAveragePooling1D()(states, mask=codes > 0)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda s, c: ops.sum(s * real(c)[..., None], 1) / ops.sum(real(c), 1, keepdims=True), "right"),
    (of_pooling, "right"), (lambda s, c: None, "mean_shape"), (lambda s, c: ops.mean(s, 2), "mean_shape"),
    (lambda s, c: ops.mean(s, 1), "padding_in_mean"), (lambda s, c: s[:, -1], "wrong_mean"),
    (lambda s, c: ops.mean(s * real(c)[..., None], 1), "divided_by_all"),
    (lambda s, c: ops.sum(s * real(c)[..., None], 1), "only_sum"),
])  # fmt: skip
def test_mean_of_words(answer, said, checks, capsys):
    space, keys = checks
    space["check_mean"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
