"""The checks of lesson 03a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks

loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CosineDecay = keras.optimizers.schedules.CosineDecay


def course_of(schedule, steps=100):
    return [float(schedule(step)) for step in range(steps)]


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "tf": tf, "np": np, "layers": layers, "loss_of": loss_of, "course_of": course_of}
    return read_checks("03a_fine_tuning", "tensorflow", names)


def open_block(net, start="block_16", norms=False):
    for layer in net.layers:
        norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = layer.name.startswith(start) and (norms or not norm)


@pytest.mark.parametrize(("answer", "said"), [
    (open_block, "right"), (lambda net: None, "too_much_learns"),
    (lambda net: open_block(net, ("block_15", "block_16")), "too_much_learns"),
    (lambda net: open_block(net, "block_16_dep"), "too_little_learns"),
    (lambda net: setattr(net, "trainable", False), "too_little_learns"),
    (lambda net: open_block(net, norms=True), "batch_norm_awake"),
])  # fmt: skip
def test_the_last_block_learns(answer, said, checks, capsys):
    space, keys = checks
    space["check_last_stage"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def step(net, x, y, slow, fast, body=True, loss=loss_of):
    with tf.GradientTape() as tape:
        value = loss(y, net(x, training=True))
    gradients = dict(zip(map(id, net.trainable_variables), tape.gradient(value, net.trainable_variables), strict=True))
    last = net.layers[-1].trainable_variables
    rest = [variable for variable in net.trainable_variables if all(variable is not other for other in last)]
    fast.apply_gradients([(gradients[id(v)], v) for v in last])
    if body:
        slow.apply_gradients([(gradients[id(v)], v) for v in rest])


def step_of_all(net, *given):
    net.layers[1].trainable = True
    step(net, *given)


@pytest.mark.parametrize(("answer", "said"), [
    (step, "right"), (lambda *given: None, "did_not_move"), (step_of_all, "frozen_moved"),
    (lambda *given: step(*given, body=False), "weights_missing"),
    (lambda net, x, y, slow, fast: step(net, x, y, fast, slow), "wrong_rates"),
    (lambda *given: step(*given, loss=keras.losses.SparseCategoricalCrossentropy()), "wrong_rates"),
])  # fmt: skip
def test_two_rates(answer, said, checks, capsys):
    space, keys = checks
    space["check_two_rates"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def both(rate, warmup, total, length=None):
    return CosineDecay(0.0, decay_steps=length or total - warmup, warmup_target=rate, warmup_steps=warmup)


@pytest.mark.parametrize(("answer", "said"), [
    (both, "right"), (lambda *given: None, "no_schedule"),
    (lambda rate, warmup, total: CosineDecay(rate, total), "no_warm_up"),
    (lambda rate, warmup, total: both(rate, 2 * warmup, total), "wrong_top"),
    (lambda rate, warmup, total: both(2 * rate, warmup, total), "wrong_top"),
    (lambda rate, warmup, total: both(rate, warmup, total, length=total), "not_to_zero"),
    (lambda rate, warmup, total: lambda k: k / 20 if k < 20 else 1 - (k - 20) / 80, "no_cosine"),  # a straight line
])  # fmt: skip
def test_a_schedule(answer, said, checks, capsys):
    space, keys = checks
    space["check_schedule"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
