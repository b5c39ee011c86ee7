"""The checks of lesson 11a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np}
    return read_checks("11a_signals_and_normalisation", "tensorflow", names)


def he(start="he_normal", bend="relu", last=None, middle=200):
    return keras.Sequential([
        keras.Input((800,)), layers.Dense(300, bend, kernel_initializer=start),
        layers.Dense(middle, bend, kernel_initializer=start), layers.Dense(10, last, kernel_initializer="he_uniform"),
    ])  # fmt: skip


def functional():
    x = inputs = keras.Input((800,))
    for units in (300, 200):
        x = layers.Activation("relu")(layers.Dense(units, kernel_initializer=keras.initializers.HeNormal())(x))
    return keras.Model(inputs, layers.Dense(10)(x))


@pytest.mark.parametrize(("answer", "said"), [
    (he, "right"), (lambda: he("he_uniform"), "right"), (functional, "right"), (lambda: None, "no_model"),
    (lambda: he("glorot_normal"), "is_glorot"), (lambda: he("lecun_normal"), "not_he"),
    (lambda: he(bend=None), "no_relu"), (lambda: he(last="softmax"), "not_logits"),
    (lambda: he(middle=100), "layer_sizes"),
])  # fmt: skip
def test_he(answer, said, checks, capsys):
    space, keys = checks
    space["check_he"](answer())
    assert answer_of(capsys.readouterr().out, keys) == said


def block(x, bend="relu", join=lambda x, h: layers.Add()([x, h])):
    return join(x, layers.Dense(16)(layers.Dense(16, bend)(x)))


@pytest.mark.parametrize(("answer", "said"), [
    (block, "right"), (lambda x: block(x, join=lambda x, h: x + h), "right"), (lambda x: None, "no_tensor"),
    (lambda x: block(x, join=lambda x, h: h), "no_shortcut"),
    (lambda x: block(x, join=lambda x, h: layers.ReLU()(x + h)), "shortcut_bent"),
    (lambda x: block(x, bend=None), "no_relu"), (lambda x: layers.Dense(16)(x), "two_linear"),
])  # fmt: skip
def test_a_block(answer, said, checks, capsys):
    space, keys = checks
    space["check_block"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def norm(z, gamma, beta, axis=0, more=1.0, outside=False, epsilon=1e-5):
    mean, variance = ops.mean(z, axis, keepdims=True), more * ops.var(z, axis, keepdims=True)
    divisor = ops.sqrt(variance) + epsilon if outside else ops.sqrt(variance + epsilon)
    return gamma * (z - mean) / divisor + beta


@pytest.mark.parametrize(("answer", "said"), [
    (norm, "right"), (lambda *given: None, "not_a_batch"), (lambda z, g, b: norm(z, 1.0, 0.0), "no_gamma"),
    (lambda *given: norm(*given, axis=1), "over_neurons"), (lambda *given: norm(*given, more=8 / 7), "one_less"),
    (lambda *given: norm(*given, outside=True), "epsilon_outside"), (lambda z, g, b: g * z + b, "another_formula"),
])  # fmt: skip
def test_batch_norm(answer, said, checks, capsys):
    space, keys = checks
    space["check_batch_norm"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
