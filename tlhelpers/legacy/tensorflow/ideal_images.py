"""Images that a classifier in TensorFlow takes for a class, made from noise."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import trange

from tlhelpers.errors import GradientError
from tlhelpers.legacy.ideal_images import COLOUR_DIRECTIONS, Climb, IdealImage, IdealPlan, plan_ideal_image
from tlhelpers.legacy.tensorflow.features import predict_proba


def ideal_image(
    model: keras.Model,
    target: int | str,
    *,
    steps: int = 256,
    lr: float = 0.05,
    objective: str = "logit",
    total_variation: float = 50.0,
    jitter: int = 4,
    fourier: bool = True,
    frames: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> IdealImage:
    """Climb the score of a class from noise: what does the network take for the most typical image of the class?

    The image is the sigmoid of what is optimised, so that it stays in 0 to 1. With `fourier` that is its spectrum, each
    frequency weighted as it occurs in photos, in decorrelated colours; otherwise its pixels. Erhan, Bengio, Courville
    and Vincent, "Visualizing higher-layer features of a deep network" (2009); Olah, Mordvintsev and Schubert, "Feature
    visualization" (Distill, 2017), whose remedies against noise these are.

    Args:
        model: a classifier, from `load_source_classifier` or `build_classifier`.
        target: the class, a number or (where the model has them) a name.
        steps: of the optimiser (Adam).
        lr: its learning rate.
        objective: "logit", the class's score before the softmax, or "probability", the logarithm of its probability,
            which can also be raised by lowering the other classes.
        total_variation: weight of the mean difference between neighbouring pixels, which punishes noise; 0 for none.
        jitter: largest random shift before each step, in pixels; 0 for none.
        fourier: optimise the spectrum instead of the pixels.
        frames: pictures to keep of the way, ever further apart, at most.
        seed: of the noise and the shifts.
        progress: show a bar.

    Returns:
        The image, the terms of the loss step by step, and pictures of the way.

    Raises:
        UnknownNameError: for a class or objective that does not exist; also a ValueError.
        ValueError: for arguments that make no sense; before any work is done.
        TypeError: for a model without a head.
        GradientError: for a gradient that is not finite; `last_good` is the result up to the step before.
    """
    plan = plan_ideal_image(model, target, steps, lr, objective, total_variation, jitter, fourier, frames, seed)
    noise, climb = tf.Variable(plan.start), Climb(plan, [], [])
    take_step = _compiled_step(model, plan, noise)
    for step in trange(steps, unit="step", disable=not progress, leave=False):
        if step in plan.frame_steps:
            climb.frames.append(_eight_bit(_paint(noise, plan)))
        finite, *terms = take_step(tf.constant(plan.shifts[step]))
        if not finite:
            raise GradientError(*climb.broken_off(step + 1))
        climb.note(*map(float, terms))
    climb.frames.append(_eight_bit(_paint(noise, plan)))
    return climb.result(float(predict_proba(model, climb.frames[-1][None])[0, plan.target]))


def _compiled_step(model: keras.Model, plan: IdealPlan, noise: tf.Variable) -> Callable:
    """One step of Adam (Kingma and Ba, ICLR 2015, algorithm 1) as a graph: finite?, score, variation, probability."""
    optimizer = keras.optimizers.Adam(plan.lr, epsilon=1e-8)
    optimizer.build([noise])

    @tf.function
    def take_step(shift):
        with tf.GradientTape() as tape:
            image = _paint(noise, plan)
            logits = tf.cast(model(tf.roll(image, shift, (0, 1))[None] * 255, training=False), tf.float32)[0]
            score = (logits if plan.objective == "logit" else tf.nn.log_softmax(logits))[plan.target]
            variation = _total_variation(image)
            loss = -score + plan.total_variation * variation
        gradient = tape.gradient(loss, noise)
        finite = tf.reduce_all(tf.math.is_finite(gradient)) & tf.math.is_finite(score)
        if finite:
            optimizer.apply([gradient], [noise])
        return finite, score, variation, tf.nn.softmax(logits)[plan.target]

    return take_step


def _paint(noise: tf.Variable, plan: IdealPlan) -> tf.Tensor:
    """The image, `(size, size, 3)` in 0 to 1, from the noise that is optimised."""
    x = tf.convert_to_tensor(noise)
    if plan.fourier:
        scale = plan.spectrum_scale()
        x = tf.signal.irfft2d(tf.complex(x[0] * scale, x[1] * scale), [plan.size, plan.size])
        x = plan.size * tf.transpose(x, (1, 2, 0)) @ tf.constant(COLOUR_DIRECTIONS.T)  # orthonormal, as in PyTorch
    return tf.sigmoid(x)


def _total_variation(image: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference between neighbours, down and across (Rudin, Osher and Fatemi, 1992)."""
    return tf.reduce_mean(tf.abs(image[1:] - image[:-1])) + tf.reduce_mean(tf.abs(image[:, 1:] - image[:, :-1]))


def _eight_bit(image: tf.Tensor) -> np.ndarray:
    return tf.cast(tf.round(image * 255), tf.uint8).numpy()
