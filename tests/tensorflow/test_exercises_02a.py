"""The checks of lesson 02a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks
from tlhelpers.tensorflow.mini_resnet import MiniResNet

ENDS = ["relu", "layer1", "layer2", "layer3", "layer4"]


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np, "tf": tf, "ENDS": ENDS}
    names["small_network"] = lambda _: MiniResNet(include_top=False, weights=None, width=4)
    return read_checks("02a_what_layers_know", "tensorflow", names)


def pooled(network, name, x):
    maps = network.get_layer(name).output
    return keras.Model(network.input, layers.GlobalAveragePooling2D()(maps)).predict(x, verbose=0)


def taken(network, name, x, take=lambda maps: keras.ops.mean(maps, (1, 2))):
    return take(keras.Model(network.input, network.get_layer(name).output)(x))


@pytest.mark.parametrize(("answer", "said"), [
    (pooled, "right"), (taken, "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: taken(*given, take=lambda maps: maps), "averages_shape"),
    (lambda *given: taken(*given, take=lambda maps: keras.ops.mean(maps, (0, 1, 2))), "averages_shape"),
    (lambda *given: taken(*given, take=lambda maps: keras.ops.max(maps, (1, 2))), "averages_wrong"),
])  # fmt: skip
def test_averages_of_a_layer(answer, said, checks, capsys):
    space, keys = checks
    space["check_averages"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def by_tape(network, x, row, column, everywhere=False):
    x = tf.Variable(x)
    with tf.GradientTape() as tape:
        out = network(x)
        out = out if everywhere else out[:, row, column]
    return tf.reduce_any(tape.gradient(out, x)[0] != 0, -1)


@pytest.mark.parametrize(("answer", "said"), [
    (by_tape, "right"), (lambda *given: by_tape(*given).numpy(), "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: by_tape(*given, everywhere=True), "influence_everywhere"),
    (lambda net, x, row, column: by_tape(net, x, column, row), "influence_wrong"),
    (lambda *given: tf.repeat(by_tape(*given)[..., None], 3, -1), "influence_shape"),
])  # fmt: skip
def test_influence(answer, said, checks, capsys):
    space, keys = checks
    space["check_influence"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def copy_and_freeze(network, known, n, freeze=True):
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(known.get_layer(layer.name).get_weights())
        layer.trainable = not freeze
        if layer.name == ENDS[n - 1]:
            break


def freeze_all(network, known, n):
    copy_and_freeze(network, known, n)
    network.trainable = False


@pytest.mark.parametrize(("answer", "said"), [
    (copy_and_freeze, "right"), (lambda *given: None, "not_copied"), (freeze_all, "rest_frozen"),
    (lambda net, known, n: copy_and_freeze(net, known, 5), "copied_too_much"),
    (lambda net, known, n: copy_and_freeze(net, known, n - 1), "not_copied"),
    (lambda *given: copy_and_freeze(*given, freeze=False), "still_learns"),
])  # fmt: skip
def test_copy_and_freeze(answer, said, checks, capsys):
    space, keys = checks
    space["check_copy"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
