"""The checks of lesson 04's exercises accept what is right in any style, and name what is wrong."""

import statistics
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks
from tlhelpers.tensorflow.networks import load_network


def load_backbone(name, size):
    return load_network(name, size, False, include_top=False, pooling="avg")


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np, "tf": tf, "time": time, "REPEATS": 5,
             "load_backbone": load_backbone}  # fmt: skip
    return read_checks("04_choosing_a_backbone", "tensorflow", names)


def formula(c_in, c_out, k, height, width, groups=1):
    return sum(k * k * c_in // groups for _ in range(c_out)) * height * width


@pytest.mark.parametrize(("answer", "said"), [
    (formula, "right"), (lambda *given: None, "nothing_returned"),
    (lambda *given: 2 * formula(*given), "counted_twice"),
    (lambda *given: formula(*given[:5]), "groups_missing"), (lambda *given: formula(*given) + 1, "not_so"),
])  # fmt: skip
def test_the_work_of_a_convolution(answer, said, checks, capsys):
    space, keys = checks
    space["check_formula"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def summed(network, size, kinds=(layers.Conv2D, layers.DepthwiseConv2D)):
    used = [layer for layer in network.layers if type(layer) in kinds]
    return sum(layer.output.shape[1] * layer.output.shape[2] * layer.kernel.numpy().size for layer in used)


@pytest.mark.parametrize(("answer", "said"), [
    (summed, "right"), (lambda network, size: None, "nothing_returned"),
    (lambda *given: summed(*given, kinds=(layers.Conv2D,)), "not_so"), (lambda network, size: 63_799_296, "not_so"),
])  # fmt: skip
def test_the_work_of_a_network(answer, said, checks, capsys):
    space, keys = checks
    space["check_sum"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def latency(network, pixels, training=False, skip=1, calls=6, scale=1000, middle=statistics.median):
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        network(pixels, training=training)
        seconds.append(time.perf_counter() - started)
    return scale * middle(seconds[skip:])


@pytest.mark.parametrize(("change", "said"), [
    ({}, "right"), ({"calls": 12}, "right"), ({"training": True}, "training_mode"),
    ({"calls": 4}, "too_few_calls"), ({"scale": 1}, "seconds"), ({"middle": statistics.mean}, "mean_taken"),
    ({"middle": sum}, "first_call"),
])  # fmt: skip
def test_latency(change, said, checks, capsys):
    space, keys = checks
    space["check_latency"](lambda network, pixels: latency(network, pixels, **change))
    assert answer_of(capsys.readouterr().out, keys) == said


def test_no_latency_yet(checks, capsys):
    space, keys = checks
    space["check_latency"](lambda network, pixels: None)
    assert answer_of(capsys.readouterr().out, keys) == "nothing_returned"


def without_head(name, **options):
    return getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3), **options).count_params()


@pytest.mark.parametrize(("answer", "said"), [
    (lambda name: without_head(name, include_top=False), "right"), (lambda name: None, "nothing_returned"),
    (lambda name: 5, "not_so"), (without_head, "head_counted"),
])  # fmt: skip
def test_parameters_without_the_head(answer, said, checks, capsys):
    space, keys = checks
    space["check_backbone"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
