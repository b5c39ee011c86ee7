"""The checks of lesson 03b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks
from tlhelpers.tensorflow.networks import load_network


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "tf": tf, "np": np, "layers": layers, "load_network": load_network}
    return read_checks("03b_forgetting_and_choosing", "tensorflow", names)


def penalty(net, start, half=0.5, all_weights=False, power=2):
    learning = net.variables if all_weights else net.trainable_variables
    return half * tf.add_n([tf.reduce_sum(tf.abs(weight - start[weight.path]) ** power) for weight in learning])


@pytest.mark.parametrize(("answer", "said"), [
    (penalty, "right"), (lambda *given: None, "no_penalty"), (lambda *given: float(penalty(*given)), "no_penalty"),
    (lambda *given: tf.stop_gradient(penalty(*given)), "no_gradient"),
    (lambda *given: penalty(*given, half=1), "no_half"),
    (lambda *given: penalty(*given, all_weights=True), "frozen_counted"),
    (lambda *given: penalty(*given, power=1), "wrong_penalty"),
])  # fmt: skip
def test_the_penalty(answer, said, checks, capsys):
    space, keys = checks
    space["check_penalty"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def join(old, new, bias=True, frozen=False):
    joined = layers.Dense(old.units + new.units, trainable=not frozen, bias_initializer="normal")
    joined.build((None, 4))
    joined.kernel.assign(tf.concat([old.kernel, new.kernel], 1))
    if bias:
        joined.bias.assign(tf.concat([old.bias, new.bias], 0))
    return joined


def beside(old, new):
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Concatenate()([old(inputs), new(inputs)]))


@pytest.mark.parametrize(("answer", "said"), [
    (join, "right"), (beside, "right"), (lambda *given: None, "no_head"), (lambda old, new: old, "joined_shape"),
    (lambda old, new: join(new, old), "wrong_order"), (lambda *given: layers.Dense(5), "not_kept"),
    (lambda *given: join(*given, bias=False), "not_kept"), (lambda *given: join(*given, frozen=True), "cannot_learn"),
])  # fmt: skip
def test_joined_heads(answer, said, checks, capsys):
    space, keys = checks
    space["check_join"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def cut(net, name="layer1", pool=True):
    maps = net.get_layer(name).output
    return keras.Model(net.input, keras.ops.mean(maps, axis=(1, 2)) if pool else maps)


@pytest.mark.parametrize(("answer", "said"), [
    (cut, "right"), (lambda net: None, "no_network"), (lambda net: cut(net, pool=False), "not_pooled"),
    (lambda net: cut(net, "layer2"), "cut_shape"), (lambda net: cut(net, "relu"), "other_numbers"),
])  # fmt: skip
def test_a_cut(answer, said, checks, capsys):
    space, keys = checks
    space["check_cut"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
