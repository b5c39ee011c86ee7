"""The checks of lesson 11b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.optimizers import schedules

from tests.exercises import answer_of, read_checks


def follow(name, gradient_of, start, steps, lr):
    """The lesson's function of that name, for Adam."""
    w, optimizer = keras.Variable(np.array(start, "float32")), keras.optimizers.Adam(lr)
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(gradient_of(None).astype("float32"))], [w])
    return keras.ops.convert_to_numpy(w)[None]


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np, "follow": follow, "EPSILON": 1e-7,
             "tensor": tf.constant}  # fmt: skip
    return read_checks("11b_optimizers_and_schedules", "tensorflow", names)


def adam(w, g, m, v, t, lr, correct=True, power=0.5):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    a, b = (m / (1 - 0.9**t), v / (1 - 0.999**t)) if correct else (m, v)
    return w - lr * a / (b**power + 1e-7), m, v


@pytest.mark.parametrize(("answer", "said"), [
    (adam, "right"), (lambda *given: None, "three_parts"), (lambda *given: adam(*given, power=1), "no_root"),
    (lambda *given: adam(*given, correct=False), "no_correction"),
])  # fmt: skip
def test_adam(answer, said, checks, capsys):
    space, keys = checks
    space["check_adam"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def adamw(net, decay=0.1, names=("bias", "gamma", "beta"), by_variable=False):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=decay)
    if by_variable:
        optimizer.exclude_from_weight_decay([weight for weight in net.trainable_variables if len(weight.shape) == 1])
    elif names:
        optimizer.exclude_from_weight_decay(var_names=list(names))
    return optimizer


@pytest.mark.parametrize(("answer", "said"), [
    (adamw, "right"), (lambda net: adamw(net, by_variable=True), "right"), (lambda net: None, "no_optimizer"),
    (lambda net: adamw(net, names=()), "decays_too"), (lambda net: adamw(net, names=("bias",)), "decays_too"),
    (lambda net: adamw(net, decay=0.01), "decay_size"), (lambda net: keras.optimizers.Adam(0.01), "decay_size"),
])  # fmt: skip
def test_decay(answer, said, checks, capsys):
    space, keys = checks
    space["check_decay"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


class ByHand(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.5 * (step / 20 if step < 20 else (1 + np.cos(np.pi * (step - 20) / 100)) / 2)


def warm(lr, steps, warmup, fall=None):
    return schedules.CosineDecay(0.0, fall or steps - warmup, warmup_target=lr, warmup_steps=warmup)


@pytest.mark.parametrize(("answer", "said"), [
    (warm, "right"), (lambda *given, **more: ByHand(), "right"), (lambda *given, **more: None, "no_schedule"),
    (lambda lr, steps, warmup: schedules.CosineDecay(lr, steps), "no_warmup"),
    (lambda lr, steps, warmup: warm(lr, steps, warmup, fall=steps), "end_of_cosine"),
    (lambda lr, steps, warmup: warm(lr, steps, 2 * warmup), "warmup_shape"),
])  # fmt: skip
def test_a_schedule(answer, said, checks, capsys):
    space, keys = checks
    space["check_schedule"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
