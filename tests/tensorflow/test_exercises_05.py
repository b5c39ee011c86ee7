"""The checks of lesson 05's exercises accept what is right in any style, and name what is wrong."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.spatial.distance import cdist

from tests.exercises import answer_of, read_checks
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.tensorflow import mini_resnet
from tlhelpers.tensorflow.heads import add_head

PREPARE = mini_resnet.preprocess_input
RECIPES = {"raw": lambda x: x, "unit": lambda x: x / 255, "twice": lambda x: PREPARE(x / 255)}


def prepared(images, recipe):
    return keras.ops.convert_to_tensor(recipe(images.astype("float32")))


def compile_model(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.001), loss, jit_compile=False)


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "tf": tf, "layers": layers, "np": np, "cdist": cdist, "mini_resnet": mini_resnet}
    names |= {
        "prepare": PREPARE,
        "prepared": prepared,
        "recipes": RECIPES,
        "add_head": add_head,
        "compile_model": compile_model,
    }
    names |= {"test": SimpleNamespace(images=draw_pets(40).images), "saved_anew": brighter}
    return read_checks("05_common_mistakes", "tensorflow", names)


def brighter(images):
    return np.clip(1.1 * images, 0, 255).astype(np.uint8)


def within(low, high, batch):
    assert low < np.min(batch)
    assert np.max(batch) < high


def mean_and_spread(batch):
    if abs(keras.ops.mean(batch)) > 1.5 or keras.ops.std(batch) < 0.4:
        raise ValueError("not normalised")


@pytest.mark.parametrize(("answer", "said"), [
    (mean_and_spread, "right"), (lambda x: bool(tf.reduce_min(x) < 0 < tf.reduce_max(x) < 3), "right"),
    (lambda x: None, "guard_misses"), (lambda x: within(-3, 3, x), "guard_misses"),
    (lambda x: within(-0.1, 300, x), "guard_refuses"),
])  # fmt: skip
def test_a_guard_for_pixels(answer, said, checks, capsys):
    space, keys = checks
    space["check_guard"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def unfreeze(model, base, stage="layer4", rate=0.0001, sleep=False):
    base.trainable = True
    for layer in base.layers:
        asleep = sleep and isinstance(layer, layers.BatchNormalization)
        layer.trainable = layer.name.startswith(stage) and not asleep
    if rate:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.AdamW(rate), loss, jit_compile=False)


def without_head(model, base):
    unfreeze(model, base, rate=None)
    model.layers[-1].trainable = False
    model.compile(keras.optimizers.SGD(0.0001), "sparse_categorical_crossentropy", jit_compile=False)


@pytest.mark.parametrize(("answer", "said"), [
    (unfreeze, "right"), (lambda *given: unfreeze(*given, sleep=True), "right"),
    (lambda *given: None, "still_frozen"), (lambda *given: unfreeze(*given, rate=None), "not_told"),
    (lambda *given: unfreeze(*given, stage=""), "too_much"), (without_head, "head_forgotten"),
    (lambda *given: unfreeze(*given, rate=0.001), "wrong_rate"),
])  # fmt: skip
def test_an_unfrozen_stage(answer, said, checks, capsys):
    space, keys = checks
    space["check_unfreeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def difference(images, size=(16, 17)):
    small = tf.image.resize(tf.reduce_mean(tf.cast(images, tf.float32), 3, keepdims=True), size, method="area")[..., 0]
    return tf.reshape(small[:, :, 1:] > small[:, :, :-1], (len(images), -1))


def with_keras(images):
    small = layers.AveragePooling2D(4)(images.astype("float32"))
    mean = keras.ops.mean(small, (1, 2), keepdims=True)
    return keras.ops.convert_to_numpy(keras.ops.reshape(small > mean, (len(images), -1)))


@pytest.mark.parametrize(("answer", "said"), [
    (difference, "right"), (with_keras, "right"), (lambda images: None, "no_bits"),
    (lambda images: difference(images)[0], "no_bits"),
    (lambda images: images.reshape(len(images), -1) % 2, "copies_differ"),
    (lambda images: np.ones((len(images), 64), bool), "others_alike"),
])  # fmt: skip
def test_a_fingerprint(answer, said, checks, capsys):
    space, keys = checks
    space["check_fingerprint"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
