"""The checks of lesson 09a's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import log_softmax, softmax

from tests.exercises import answer_of, read_checks

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 8)).astype("float32")
LABELS, OTHER = RNG.integers(0, 4, (2, 60))
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def small():
    inputs = keras.Input((8,))
    h = layers.Dense(5, activation="relu", name="trunk")(inputs)
    return keras.Model(inputs, [layers.Dense(4)(h), layers.Dense(4)(h)])


@pytest.fixture
def checks():
    names = {
        "np": np, "softmax": softmax, "log_softmax": log_softmax, "tensor": tf.constant, "SEED": 0,
        "as_array": keras.ops.convert_to_numpy, "second_tasks": {"scene": OTHER}, "train_part": np.arange(50),
        "draw": lambda k: np.arange(8), "train": lambda *given, rounds: small(), "features": FEATURES, "mean": 0,
        "spread": 1, "breeds": LABELS, "classes": 4, "weights_of": lambda m: [v.T for v in m.get_weights()],
    }  # fmt: skip
    return read_checks("09a_shared_knowledge", "tensorflow", names)


def joint(z, y, z2, y2, weight, divide=True):
    def mean_of(z, y):
        known = tf.boolean_mask(tf.range(len(y)), y >= 0)
        if not len(known):
            return 0.0
        nats = LOSS(tf.gather(y, known), tf.gather(z, known))
        return nats * (1 if divide else len(known) / len(y))

    return mean_of(z, y) + weight * mean_of(z2, y2)


def of_keras(z, y, z2, y2, weight):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    return loss(y, z) + weight * loss(y2, z2)


@pytest.mark.parametrize(("answer", "said"), [
    (joint, "right"), (of_keras, "right"), (lambda *given: None, "no_number"), (lambda *given: given[0], "no_number"),
    (lambda *given: joint(*given, divide=False), "mean_of_all"), (lambda *given: joint(*given[:4], 1), "no_weight"),
    (lambda *given: joint(*given) + 0 / tf.reduce_sum(tf.cast(given[1] >= 0, "float32")), "no_labels"),
    (lambda *given: 1.0, "wrong_loss"),
])  # fmt: skip
def test_joint_loss(answer, said, checks, capsys):
    space, keys = checks
    space["check_joint_loss"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def gradients(model, pick, second, both=False):
    found, layer = [], model.get_layer("trunk")
    for k, labels in enumerate((LABELS, second)):
        with tf.GradientTape() as tape:
            loss = LOSS(labels[pick], model(tf.gather(FEATURES, pick))[k])
        parts = tape.gradient(loss, layer.trainable_weights if both else [layer.kernel])
        found.append(tf.concat([tf.reshape(g, [-1]) for g in parts], 0))
    return found


def cosine(model, pick, second, both=False):
    return -keras.losses.cosine_similarity(*gradients(model, pick, second, both))


def moving(model, pick, second):
    found = cosine(model, pick, second)
    model.get_layer("trunk").kernel.assign_sub(tf.ones((8, 5)))
    return found


@pytest.mark.parametrize(("answer", "said"), [
    (cosine, "right"), (lambda *given: float(cosine(*given)), "right"), (lambda *given: None, "no_number"),
    (moving, "model_moved"), (lambda *given: tf.reduce_sum(tf.multiply(*gradients(*given))), "not_divided"),
    (lambda *given: 0.99, "wrong_cosine"), (lambda *given: cosine(*given, both=True), "wrong_cosine"),
])  # fmt: skip
def test_cosine_of_gradients(answer, said, checks, capsys):
    keras.utils.set_random_seed(0)
    space, keys = checks
    space["check_cosine"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def ones(rows):
    return tf.concat([rows, tf.ones((len(rows), 1))], 1)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda b, f, n: ones(n) @ tf.linalg.lstsq(ones(b), f), "right"),
    (lambda b, f, n: np.c_[n, np.ones(5)] @ np.linalg.lstsq(np.c_[b, np.ones(40)], f, rcond=None)[0], "right"),
    (lambda b, f, n: None, "map_shape"), (lambda b, f, n: n, "map_shape"),
    (lambda b, f, n: n @ tf.linalg.lstsq(b, f), "no_intercept"),
    (lambda b, f, n: tf.repeat(tf.reduce_mean(f, 0, keepdims=True), 5, 0), "wrong_map"),
])  # fmt: skip
def test_mapped_tastes(answer, said, checks, capsys):
    space, keys = checks
    space["check_map"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
