"""The checks of lesson 02b's exercises accept what is right in any style, and name what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.exercises import answer_of, read_checks


def pixels_of(images):
    return tf.convert_to_tensor(images.astype("float32") / 255)


@pytest.fixture(scope="module")
def checks():
    names = {"keras": keras, "layers": layers, "np": np, "tf": tf, "pixels_of": pixels_of}
    return read_checks("02b_where_networks_look", "tensorflow", names)


def weighted(maps, head, k):
    return tf.reduce_sum(maps * head.kernel[:, k], -1)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda maps, head, k: tf.nn.relu(weighted(maps, head, k)), "right"),
    (lambda maps, head, k: keras.ops.relu(keras.ops.sum(maps * head.get_weights()[0][:, k], -1)) / 16, "right"),
    (lambda *given: None, "no_answer"), (weighted, "cam_uncut"),
    (lambda maps, head, k: tf.reduce_sum(tf.nn.relu(maps), -1), "cam_other"),
    (lambda maps, head, k: tf.nn.relu(weighted(maps, head, 0)), "cam_other"),
    (lambda maps, head, k: maps * head.kernel[:, k], "wrong_shape"),
    (lambda maps, head, k: maps * head.kernel, "cam_error"),
])  # fmt: skip
def test_cam(answer, said, checks, capsys):
    space, keys = checks
    space["check_cam"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def saliency(model, images, classes, output=tf.identity, end=lambda g: tf.reduce_max(tf.abs(g), -1), watch=True):
    pixels = tf.Variable(pixels_of(images), trainable=watch)  # a variable that learns is watched by itself
    with tf.GradientTape() as tape:
        scores = tf.reduce_sum(output(model(pixels)) * tf.one_hot(classes, 3))
    return end(tape.gradient(scores, pixels))


@pytest.mark.parametrize(("answer", "said"), [
    (saliency, "right"), (lambda *given: saliency(*given).numpy(), "right"), (lambda *given: None, "no_answer"),
    (lambda *given: saliency(*given, end=lambda g: tf.reduce_max(g, -1)), "saliency_sign"),
    (lambda *given: saliency(*given, output=tf.nn.softmax), "saliency_of_probability"),
    (lambda *given: saliency(*given, end=lambda g: tf.reduce_mean(tf.abs(g), -1)), "saliency_other"),
    (lambda *given: saliency(*given, end=tf.abs), "wrong_shape"),
    (lambda *given: saliency(*given, watch=False), "saliency_error"),
])  # fmt: skip
def test_saliency(answer, said, checks, capsys):
    space, keys = checks
    space["check_saliency"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def nearest(rows, labels, new, k, sign=-1):
    distances = tf.reduce_sum((new[:, None] - rows) ** 2, -1)
    return tf.gather(labels, tf.math.top_k(sign * distances, k).indices)


def majority(votes):
    return tf.cast(tf.reduce_mean(tf.cast(votes, "float32"), 1) > 0.5, "int64")


@pytest.mark.parametrize(("answer", "said"), [
    (lambda *given: majority(nearest(*given)), "right"),
    (lambda *given: majority(nearest(*given)).numpy(), "right"), (lambda *given: None, "no_answer"),
    (lambda rows, labels, new, k: majority(nearest(rows, labels, new, 1)), "knn_only_one"),
    (lambda *given: majority(nearest(*given, sign=1)), "knn_farthest"),
    (lambda rows, labels, new, k: tf.zeros(len(new)), "knn_other"), (nearest, "wrong_shape"),
    (lambda rows, labels, new, k: new - rows, "knn_error"),
])  # fmt: skip
def test_nearest_neighbours(answer, said, checks, capsys):
    space, keys = checks
    space["check_knn"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
