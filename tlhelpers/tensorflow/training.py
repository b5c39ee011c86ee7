"""Training in TensorFlow."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.backbones import check_images
from tlhelpers.errors import UnknownNameError
from tlhelpers.tensorflow.features import compiled_forward
from tlhelpers.training import History, run_training

OPTIMIZERS = ("adam", "sgd")


def set_seed(seed: int) -> None:
    """Seed Python, numpy and TensorFlow."""
    keras.utils.set_random_seed(seed)


class _Trainer:
    """One step and one evaluation, for `run_training`."""

    def __init__(self, model: keras.Model, optimizer: str, weight_decay: float):
        self.model = model
        self.variables = model.trainable_variables
        if not self.variables:
            raise ValueError("expected something to train, but every parameter is frozen; call unfreeze first")
        if optimizer == "adam":
            self.optimizer = keras.optimizers.AdamW(weight_decay=weight_decay, epsilon=1e-7)
        elif optimizer == "sgd":
            self.optimizer = keras.optimizers.SGD(momentum=0.9, nesterov=True)
        else:
            raise UnknownNameError("optimizer", optimizer, OPTIMIZERS)
        self.l2 = weight_decay if optimizer == "sgd" else 0.0  # added to the gradient, as PyTorch's SGD does
        self.optimizer.build(self.variables)
        self.graph = None

    def _build_graph(self, x: np.ndarray) -> Callable:
        """One optimizer step as a graph that takes batches of any length, so that the last one costs no new trace."""

        def train(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                logits = self.model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            gradients = tape.gradient(loss, self.variables)
            if self.l2:
                gradients = [g + self.l2 * v for g, v in zip(gradients, self.variables, strict=True)]
            self.optimizer.apply(gradients, self.variables)
            return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == y, tf.int32))

        signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype), tf.TensorSpec([None], tf.int64)]
        return tf.function(train, input_signature=signature)

    def step(self, x: np.ndarray, y: np.ndarray, lr: float) -> tuple[tf.Tensor, tf.Tensor]:
        self.graph = self.graph or self._build_graph(x)
        self.optimizer.learning_rate.assign(lr)
        return self.graph(tf.convert_to_tensor(x), tf.convert_to_tensor(y, tf.int64))

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        forward, loss, right = compiled_forward(self.model, x), 0.0, 0
        for start in range(0, len(x), 64):
            labels = np.asarray(y[start : start + 64], np.int64)
            logits = forward(tf.convert_to_tensor(np.ascontiguousarray(x[start : start + 64])))
            loss += float(tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
            right += int((logits.numpy().argmax(1) == labels).sum())
        return loss / len(x), right / len(x)

    def get_weights(self) -> list[np.ndarray]:
        return self.model.get_weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.model.set_weights(weights)


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    x_val: np.ndarray | None = None,
    y_val: np.ndarray | None = None,
    *,
    epochs: int = 10,
    lr: float = 1e-3,
    batch_size: int = 32,
    optimizer: str = "adam",
    weight_decay: float = 0.0,
    schedule: str = "constant",
    patience: int | None = None,
    augment: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train what is not frozen, with cross-entropy, and keep the weights of the epoch with the lowest validation loss.

    Args:
        model: a classifier with images, or a head with features.
        x: images `(n, size, size, 3)` uint8 (or float in 0 to 1), or features `(n, feature_size)` float32.
        y: labels `(n,)`, integers from 0.
        x_val: inputs for validation; without them the last weights stay.
        y_val: labels for validation.
        epochs: passes over `x`, at most.
        lr: learning rate; its highest value under "cosine".
        batch_size: inputs per step.
        optimizer: "adam" (with decoupled weight decay: Loshchilov and Hutter, ICLR 2019) or "sgd" (Nesterov
            momentum of 0.9).
        weight_decay: strength of the decay.
        schedule: "constant" or "cosine".
        patience: stop after so many epochs without a lower validation loss; None never stops.
        augment: flip and shift training images.
        seed: of the order of the batches and of the augmentation.
        progress: show a bar.

    Returns:
        Losses, accuracies and seconds per epoch.

    Raises:
        ValueError: where inputs and labels do not belong together, everything is frozen, or the loss diverges.
    """
    if hasattr(model, "backbone"):
        x = check_images(x, model.input_size)
        x_val = None if x_val is None else check_images(x_val, model.input_size)
    tf.random.set_seed(seed)
    return run_training(
        _Trainer(model, optimizer, weight_decay), x, y, x_val, y_val, num_classes=model.num_classes, epochs=epochs,
        lr=lr, batch_size=batch_size, schedule=schedule, patience=patience, augment=augment, seed=seed,
        progress=progress,
    )  # fmt: skip
