"""Training in TensorFlow."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.tensorflow.adam import Adam
from tlhelpers.legacy.tensorflow.classifiers import rate_groups
from tlhelpers.legacy.tensorflow.features import compiled_forward
from tlhelpers.legacy.training import History, check_pull, run_training

OPTIMIZERS = ("adam", "sgd")
KEPT_TRAINERS = 6  # graphs of training steps that a model keeps, each with the moments of its optimizer


def set_seed(seed: int) -> None:
    """Seed Python, numpy and TensorFlow."""
    keras.utils.set_random_seed(seed)


class Trainer:
    """One step and one evaluation, for `run_training`; the arguments are those of `fit`."""

    def __init__(
        self,
        model: keras.Model,
        optimizer: str = "adam",
        weight_decay: float = 0.0,
        layer_rates: Mapping[str, float] | None = None,
        l2_sp: float = 0.0,
    ):
        self.model, self.layers = model, list(model._flatten_layers())
        self.groups = [(factor, group, _optimizer(optimizer, weight_decay))
                       for factor, group in rate_groups(model, layer_rates)]  # fmt: skip
        self.l2 = weight_decay if optimizer == "sgd" else 0.0  # added to the gradient, as PyTorch's SGD does
        self.l2_sp, self.pulled, self.graphs = check_pull(l2_sp), {}, {}
        if l2_sp:
            trains = getattr(model, "backbone", model).trainable_variables
            self.pulled = {id(v): tf.Variable(tf.convert_to_tensor(v)) for v in trains}
        for _, group, optimizer in self.groups:
            optimizer.build(group)

    def start_anew(self, factors: list[float]) -> None:
        """Forget the optimizer's moments, and pull towards the weights of now: as if just made, but with its graph."""
        self.groups = [(new, *others) for new, (_, *others) in zip(factors, self.groups, strict=True)]
        for _, group, optimizer in self.groups:
            for variable in optimizer.variables:
                variable.assign(tf.zeros_like(variable))
            for variable in group:
                if id(variable) in self.pulled:
                    self.pulled[id(variable)].assign(variable)

    def _build_graph(self, x: np.ndarray) -> Callable:
        """One optimizer step as a graph that takes batches of any length, so that the last one costs no new trace."""
        variables = [v for _, group, _ in self.groups for v in group]

        def train(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                logits = self.model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            gradients = dict(zip(map(id, variables), tape.gradient(loss, variables), strict=True))
            for variable in variables:
                if self.l2:
                    gradients[id(variable)] += self.l2 * variable
                if id(variable) in self.pulled:  # the gradient of l2_sp / 2 times the squared distance
                    gradients[id(variable)] += self.l2_sp * (variable - self.pulled[id(variable)])
            for _, group, optimizer in self.groups:
                optimizer.apply([gradients[id(v)] for v in group], group)
            return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == y, tf.int32))

        signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype), tf.TensorSpec([None], tf.int64)]
        return tf.function(train, input_signature=signature)

    def step(self, x: np.ndarray, y: np.ndarray, lr: float) -> tuple[tf.Tensor, tf.Tensor]:
        """One optimizer step at the rate `lr`; mean loss and number of right answers, as tensors."""
        kind = (x.shape[1:], x.dtype.name)
        if kind not in self.graphs:
            self.graphs[kind] = self._build_graph(x)
        for factor, _, optimizer in self.groups:
            optimizer.learning_rate.assign(lr * factor)
        return self.graphs[kind](tf.convert_to_tensor(x), tf.convert_to_tensor(y, tf.int64))

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy without training."""
        forward, loss, right = compiled_forward(self.model, x), 0.0, 0
        for start in range(0, len(x), 64):
            labels = np.asarray(y[start : start + 64], np.int64)
            logits = forward(tf.convert_to_tensor(np.ascontiguousarray(x[start : start + 64])))
            loss += float(tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
            right += int((logits.numpy().argmax(1) == labels).sum())
        return loss / len(x), right / len(x)

    def get_weights(self) -> list[np.ndarray]:
        """A copy of all weights and statistics."""
        return self.model.get_weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Put back what `get_weights` gave."""
        self.model.set_weights(weights)


def _optimizer(name: str, weight_decay: float) -> Adam | keras.optimizers.SGD:
    if name == "adam":
        return Adam(weight_decay)
    if name == "sgd":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True)
    raise UnknownNameError("optimizer", name, OPTIMIZERS)


def kept_trainer(
    model: keras.Model,
    optimizer: str,
    weight_decay: float,
    layer_rates: Mapping[str, float] | None,
    l2_sp: float,
) -> Trainer:
    """A `Trainer`, as if just made; of a model that was trained in the same way before, the one of that time.

    Building the graph of a training step takes seconds. It holds as long as the same variables train in the same
    groups, each layer is as frozen as it was, and the settings are the same; weights and rates may be any.

    Raises:
        ValueError: where everything is frozen.
    """
    if not model.trainable_variables:
        raise ValueError("expected something to train, but every parameter is frozen; call unfreeze first")
    kept = model.__dict__.setdefault("_trainers", {})
    layers = [(id(layer), layer.trainable, getattr(layer, "momentum", None)) for layer in model._flatten_layers()]
    preprocessing = getattr(getattr(model, "backbone", None), "preprocessing", None)
    groups = rate_groups(model, layer_rates)
    partition = [[id(variable) for variable in group] for _, group in groups]
    key = repr((layers, partition, preprocessing, optimizer, weight_decay, l2_sp))
    if key not in kept:
        trainer = Trainer(model, optimizer, weight_decay, layer_rates, l2_sp)
        while len(kept) >= KEPT_TRAINERS:
            del kept[next(iter(kept))]
        kept[key] = trainer
        return trainer
    kept[key].start_anew([factor for factor, _ in groups])
    return kept[key]


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
    warmup: float | None = None,
    layer_rates: Mapping[str, float] | None = None,
    l2_sp: float = 0.0,
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
        schedule: "constant" or "cosine", half a cosine down to zero.
        warmup: fraction of the run in which the rate climbs to `lr`; None for a tenth under "cosine", for none under
            "constant".
        layer_rates: factors on `lr` by layer, such as `{"stem": 0.1, "stage4": 0.5}`: each holds from its layer on, up
            to the next one named. "head" names the head. See `discriminative_rates`.
        l2_sp: strength of a pull back to the weights at the start, `l2_sp / 2` times the squared distance, added to the
            loss; the head is left free (Li, Grandvalet and Davoine, ICML 2018).
        patience: stop after so many epochs without a lower validation loss; None never stops.
        augment: flip and shift training images.
        seed: of the order of the batches and of the augmentation.
        progress: show a bar.

    Returns:
        Losses, accuracies and seconds per epoch.

    Raises:
        ValueError: where inputs and labels do not belong together, everything is frozen, or the loss diverges.
        UnknownNameError: for another optimizer, or a layer that the backbone does not have.
    """
    if hasattr(model, "backbone"):
        x = check_images(x, model.input_size)
        x_val = None if x_val is None else check_images(x_val, model.input_size)
    tf.random.set_seed(seed)
    return run_training(
        kept_trainer(model, optimizer, weight_decay, layer_rates, l2_sp), x, y, x_val, y_val,
        num_classes=model.num_classes, epochs=epochs, lr=lr, batch_size=batch_size, schedule=schedule, warmup=warmup,
        patience=patience, augment=augment, seed=seed, progress=progress,
    )  # fmt: skip
