"""The checks of lesson 10a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks

FILTERS = np.abs(np.random.default_rng(0).normal(size=(64, 257))).astype("float32")


def power_of(waves):
    pieces = np.lib.stride_tricks.sliding_window_view(waves, 512, axis=-1)[..., ::118, :]
    return np.abs(np.fft.rfft(pieces * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)))) ** 2


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np, "tf": tf, "tensor": tf.constant}
    names |= {"filters": FILTERS, "power_of": power_of}
    names["waves"] = np.random.default_rng(1).normal(size=(4, 8000)).astype("float32")
    names["log_mel"] = lambda waves: np.log(power_of(waves) @ FILTERS.T + 1e-6).swapaxes(1, 2)
    return read_checks("10a_sounds_and_series", "tensorflow", names)


def log_mel(waves, pad=False, power=2, log=tf.math.log, last=lambda s: s):
    size = tf.abs(tf.signal.stft(waves, 512, 118, pad_end=pad))
    return last(log(tf.matmul(FILTERS, size**power, transpose_b=True) + 1e-6))


@pytest.mark.parametrize(("answer", "said"), [
    (log_mel, "right"), (lambda waves: log_mel(waves).numpy(), "right"), (lambda waves: None, "nothing_returned"),
    (lambda waves: log_mel(waves, pad=True), "spectrogram_shape"), (lambda waves: log_mel(waves, power=1), "no_square"),
    (lambda waves: log_mel(waves, log=tf.identity), "no_logarithm"),
    (lambda waves: log_mel(waves, last=tf.linalg.matrix_transpose), "swapped"),
    (lambda waves: log_mel(waves, last=lambda s: 2 * s), "other_numbers"),
])  # fmt: skip
def test_log_mel(answer, said, checks, capsys):
    space, keys = checks
    space["check_log_mel"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def one_channel(conv, reduce=np.sum, strides=None, bias=True):
    strides, bias = strides or conv.strides, bias and conv.use_bias
    new = layers.Conv2D(conv.filters, conv.kernel_size, strides=strides, padding=conv.padding, use_bias=bias)
    new.build((None, None, None, 1))
    kernel, *rest = conv.get_weights()
    new.set_weights([reduce(kernel, axis=2, keepdims=True), *rest[: int(bias)]])
    return new


def random_bias(conv):
    new = one_channel(conv)
    if conv.use_bias:
        new.bias.assign(new.bias + 1)
    return new


@pytest.mark.parametrize(("answer", "said"), [
    (one_channel, "right"), (lambda conv: None, "no_convolution"), (lambda conv: conv, "not_one"),
    (lambda conv: one_channel(conv, reduce=np.mean), "mean_of_colours"),
    (lambda conv: one_channel(conv, strides=1), "other_size"), (random_bias, "other_numbers"),
])  # fmt: skip
def test_one_channel(answer, said, checks, capsys):
    space, keys = checks
    space["check_one_channel"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def load(model, source, skip=(), names=lambda left: left):
    left, own = [], {layer.name: layer for layer in model.layers}
    for layer in source.layers:
        try:
            if layer.name not in skip:
                own[layer.name].set_weights(layer.get_weights())
        except (KeyError, ValueError):
            left.append(layer.name)
    return names(left)


def by_position(model, source):
    for own, layer in zip(model.layers, source.layers, strict=False):
        own.set_weights(layer.get_weights())


def head_too(model, source):
    left = load(model, source)
    model.get_layer("head").set_weights([w + 1 for w in model.get_layer("head").get_weights()])
    return left


@pytest.mark.parametrize(("answer", "said"), [
    (load, "right"), (lambda model, source: set(load(model, source)), "right"),
    (lambda model, source: None, "body_not_loaded"), (by_position, "shape_error"), (head_too, "head_changed"),
    (lambda model, source: load(model, source, skip=("norm",)), "statistics_missing"),
    (lambda model, source: load(model, source, names=lambda left: left[:1]), "names_wrong"),
])  # fmt: skip
def test_load_what_fits(answer, said, checks, capsys):
    space, keys = checks
    space["check_load"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
