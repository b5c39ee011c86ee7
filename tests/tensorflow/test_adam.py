"""Adam with one kernel an array, against Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tlhelpers.legacy.tensorflow.adam import Adam


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_takes_the_steps_that_keras_takes(weight_decay):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4,), (2, 2, 3, 5))]
    steps = [[rng.normal(size=w.shape).astype(np.float32) for w in start] for _ in range(20)]
    rates = np.linspace(0.1, 0.001, 20)
    reached = []
    for optimizer in (Adam(weight_decay), keras.optimizers.AdamW(weight_decay=weight_decay, epsilon=1e-7)):
        weights = [keras.Variable(w) for w in start]
        optimizer.build(weights)
        for lr, gradients in zip(rates, steps, strict=True):
            optimizer.learning_rate.assign(lr)
            optimizer.apply([tf.constant(g) for g in gradients], weights)
        reached.append([w.numpy() for w in weights])
    for ours, theirs, before in zip(*reached, start, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        assert np.abs(ours - before).max() > 0.1  # they went somewhere


def test_zeros_in_its_variables_start_it_anew():
    weight, optimizer = keras.Variable([1.0, 2.0]), Adam()
    optimizer.build([weight])
    optimizer.learning_rate.assign(0.1)
    ends = []
    for _ in range(2):
        weight.assign([1.0, 2.0])
        for variable in optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        for slope in (1.0, -3.0):
            optimizer.apply([tf.constant([slope, 1.0])], [weight])
        ends.append(weight.numpy())
    np.testing.assert_array_equal(*ends)
