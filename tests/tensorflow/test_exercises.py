"""The checks of lesson 01's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks("01_cats_vs_dogs", "tensorflow", {"keras": keras, "layers": layers, "np": np, "num_classes": 2})


def head(middle=64, rate=0.5, first="relu", last=None, size=256):
    return keras.Sequential(
        [keras.Input((size,)), layers.Dense(middle, first), layers.Dropout(rate), layers.Dense(2, last)]
    )


def functional():
    inputs = keras.Input((256,))
    x = layers.Activation("relu")(layers.Dense(64)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(x)))


@pytest.mark.parametrize(("answer", "said"), [
    (head, "right"), (functional, "right"), (lambda: None, "no_head"), (lambda: head(first=None), "head_linear"),
    (lambda: head(last="softmax"), "head_softmax"), (lambda: head(last="sigmoid"), "head_softmax"),
    (lambda: head(middle=128), "head_layers"), (lambda: head(rate=0.2), "head_layers"),
    (lambda: head(size=128), "head_sizes"), (lambda: layers.Dense(3), "head_shape"),
])  # fmt: skip
def test_a_head_of_two_layers(answer, said, checks, capsys):
    space, keys = checks
    space["check_head"](answer())
    assert answer_of(capsys.readouterr().out, keys) == said


def make_ready(net, rate=0.01, loss=None, metrics=("accuracy",)):
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.AdamW(rate), loss, metrics=list(metrics), jit_compile=False)


@pytest.mark.parametrize(("answer", "said"), [
    (make_ready, "right"), (lambda net: make_ready(net, metrics=[keras.metrics.SparseCategoricalAccuracy()]), "right"),
    (lambda net: None, "not_compiled"), (lambda net: make_ready(net, metrics=()), "no_metric"),
    (lambda net: make_ready(net, loss="sparse_categorical_crossentropy"), "from_logits"),
    (lambda net: make_ready(net, rate=0.001), "rate"),
])  # fmt: skip
def test_a_compiled_model(answer, said, checks, capsys):
    space, keys = checks
    space["check_step"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def freeze_all_but_batch_norm(net):
    for layer in net.layers:
        layer.trainable = isinstance(layer, layers.BatchNormalization)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda net: setattr(net, "trainable", False), "right"), (lambda net: None, "body_learns"),
    (freeze_all_but_batch_norm, "body_learns"),
])  # fmt: skip
def test_a_frozen_base(answer, said, checks, capsys):
    space, keys = checks
    space["check_freeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
