"""The checks of lesson 08a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "tf": tf, "keras": keras, "layers": layers, "tensor": tf.constant}
    return read_checks("08a_domain_adaptation", "tensorflow", names)


def distance(logits, is_target, threshold=0.0):
    wrong = tf.cast(logits > threshold, "float32") != is_target
    return 2 * (1 - 2 * tf.reduce_mean(tf.cast(wrong, "float32")))


@pytest.mark.parametrize(("answer", "said"), [
    (distance, "right"), (lambda z, t: 2 - 4 * np.mean((ops.sigmoid(z) > 0.5).numpy() != (t.numpy() > 0)), "right"),
    (lambda z, t: None, "no_number"), (lambda z, t: z, "no_number"),
    (lambda z, t: -distance(z, t), "accuracy_for_error"),
    (lambda z, t: abs(distance(z, t)), "never_below_zero"), (lambda z, t: distance(z, t) / 2, "factor_two"),
    (lambda z, t: 0.3, "wrong_distance"), (lambda z, t: distance(z, t, 0.5), "logits_at_half"),
])  # fmt: skip
def test_a_distance(answer, said, checks, capsys):
    space, keys = checks
    space["check_distance"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def blend(adapted, old, share, of=lambda v: v, back=lambda v: v, which=slice(None)):
    nets = ([m for m in net.layers if isinstance(m, layers.BatchNormalization)][which] for net in (adapted, old))
    for new, before in zip(*nets, strict=True):
        new.moving_mean.assign(share * new.moving_mean + (1 - share) * before.moving_mean)
        new.moving_variance.assign(back(share * of(new.moving_variance) + (1 - share) * of(before.moving_variance)))


def blend_weights(adapted, old, share):
    pairs = zip(adapted.weights, old.weights, strict=True)
    adapted.set_weights([share * a + (1 - share) * b if "moving" in a.path else a for a, b in pairs])


@pytest.mark.parametrize(("answer", "said"), [
    (blend, "right"), (blend_weights, "right"), (lambda a, o, s: None, "nothing_moved"),
    (lambda a, o, s: blend(o, a, s), "old_moved"), (lambda a, o, s: blend(a, o, 1 - s), "share_reversed"),
    (lambda a, o, s: blend(a, o, s, ops.sqrt, ops.square), "variance_wrong"),
    (lambda a, o, s: blend(a, o, s, which=slice(1)), "layers_missed"),
])  # fmt: skip
def test_blended_statistics(answer, said, checks, capsys):
    space, keys = checks
    space["check_blend"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def mmd(x, y, width, power=1.0, between=2):
    def likeness(a, b):
        squares = ops.sum((ops.expand_dims(a, 1) - ops.expand_dims(b, 0)) ** 2, -1)
        return ops.mean(ops.exp(-(squares**power) / width))

    return likeness(x, x) + likeness(y, y) - between * likeness(x, y)


@pytest.mark.parametrize(("answer", "said"), [
    (mmd, "right"), (lambda x, y, width: float(mmd(x.numpy(), y.numpy(), width)), "right"),
    (lambda x, y, width: None, "no_number"), (lambda x, y, width: mmd(x, y, width, power=0.5), "not_squared"),
    (lambda x, y, width: 1.0, "wrong_mmd"), (lambda x, y, width: mmd(x, y, width, between=1), "twice_missing"),
    (lambda x, y, width: mmd(x, y, 1.0), "one_width"),
])  # fmt: skip
def test_mmd(answer, said, checks, capsys):
    space, keys = checks
    space["check_mmd"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
