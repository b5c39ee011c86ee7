"""The checks of lesson 07's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.exercises import answer_of, read_checks

cross_entropy = keras.losses.sparse_categorical_crossentropy


@pytest.fixture(scope="module")
def checks():
    return read_checks("07_adversarial_cat", "tensorflow", {"keras": keras, "layers": layers, "tf": tf, "np": np})


def variation(x, size=tf.abs, both=tf.reduce_mean, down=1.0, right=1.0):
    return down * both(size(x[:, 1:] - x[:, :-1])) + right * both(size(x[:, :, 1:] - x[:, :, :-1]))


@pytest.mark.parametrize(("answer", "said"), [
    (variation, "right"), (lambda x: variation(x, ops.abs, ops.mean), "right"), (lambda x: None, "no_number"),
    (lambda x: tf.abs(x), "no_number"), (lambda x: float(variation(x)), "no_gradient"),
    (lambda x: variation(tf.stop_gradient(x)), "no_gradient"), (lambda x: variation(x, size=tf.identity), "signed"),
    (lambda x: variation(x, both=tf.reduce_sum), "summed"), (lambda x: variation(x, size=tf.square), "squared"),
    (lambda x: variation(x, down=0.0), "one_way"), (lambda x: variation(x, right=0.0), "one_way"),
    (lambda x: variation(x) / 2, "halved"), (lambda x: 3 * variation(x), "other_number"),
])  # fmt: skip
def test_total_variation(answer, said, checks, capsys):
    space, keys = checks
    space["check_variation"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def towards(net, x, targets, epsilon, sign=-1, length=tf.sign, clip=True):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = cross_entropy(targets, net(x), from_logits=True)
    moved = x + sign * epsilon * length(tape.gradient(loss, x))
    return tf.clip_by_value(moved, 0, 1) if clip else moved


@pytest.mark.parametrize(("answer", "said"), [
    (towards, "right"), (lambda *given: towards(*given).numpy(), "right"), (lambda *given: None, "no_images"),
    (lambda net, x, y, e: towards(net, x, y, e)[0], "no_images"),
    (lambda *given: towards(*given, clip=False), "out_of_range"), (lambda *given: towards(*given, sign=1), "went_away"),
    (lambda *given: towards(*given, length=tf.identity), "not_whole_step"),
    (lambda net, x, y, e: x, "not_whole_step"),
])  # fmt: skip
def test_a_step_towards_a_class(answer, said, checks, capsys):
    space, keys = checks
    space["check_step"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


class Both(keras.Model):
    def __init__(self, blur, net, stop=False):
        super().__init__()
        self.blur, self.net, self.stop = blur, net, stop

    def call(self, x):
        return self.net(tf.stop_gradient(self.blur(x)) if self.stop else self.blur(x))


@pytest.mark.parametrize(("answer", "said"), [
    (lambda blur, net: keras.Sequential([blur, net]), "right"), (Both, "right"), (lambda blur, net: None, "no_model"),
    (lambda blur, net: lambda x: net(blur(x)), "no_model"), (lambda blur, net: net, "no_blur"),
    (lambda blur, net: keras.Sequential([blur, blur, net]), "other_output"),
    (lambda blur, net: Both(blur, net, stop=True), "no_gradient"),
])  # fmt: skip
def test_blur_and_network_in_one(answer, said, checks, capsys):
    space, keys = checks
    space["check_defended"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
