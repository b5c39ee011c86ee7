"""Small networks in TensorFlow, many at once; see `tlhelpers.legacy.training_tricks`."""

import functools
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.training_tricks import (
    BATCH_NORM_EPSILON,
    BETA_1,
    BETA_2,
    EPSILON,
    MOMENTUM,
    OPTIMIZERS,
    RHO,
    NetworkPlan,
    TrainedNetworks,
    Weights,
    from_rows,
    initial_weights,
    is_trained,
    kernel_columns,
    run_networks,
    to_rows,
)

_ACTIVATE = {"linear": lambda h: h, "relu": tf.nn.relu, "sigmoid": tf.sigmoid, "tanh": tf.tanh}


def build_optimizer(name: str, variables: list[tf.Variable], lr: float) -> keras.optimizers.Optimizer:
    """Keras's own optimizer, with the constants of `tlhelpers.legacy.training_tricks`.

    Keras adds the epsilon of Adagrad and RMSProp under the root: its square there is `EPSILON` outside.

    Raises:
        UnknownNameError: a name that is not in `OPTIMIZERS`.
    """
    if name not in OPTIMIZERS:
        raise UnknownNameError("optimizer", name, OPTIMIZERS)
    own = keras.optimizers
    optimizer = {
        "sgd": lambda: own.SGD(lr),
        "momentum": lambda: own.SGD(lr, momentum=MOMENTUM),
        "adagrad": lambda: own.Adagrad(lr, initial_accumulator_value=0.0, epsilon=EPSILON**2),
        "rmsprop": lambda: own.RMSprop(lr, rho=RHO, epsilon=EPSILON**2),
        "adam": lambda: own.Adam(lr, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
    }[name]()
    optimizer.build(variables)
    return optimizer


def _forward(plan: NetworkPlan, weights: dict[str, tf.Variable], x: tf.Tensor, masks: list[tf.Tensor]):
    """Scores, the outputs of the hidden layers, and the batch statistics by name, in training mode."""
    h, outputs, statistics = x, [], {}
    for k in range(len(plan.hidden)):
        h = tf.matmul(h, weights[f"kernel{k}"]) + weights[f"bias{k}"]
        if plan.batch_norm:
            mean, variance = tf.nn.moments(h, 1, keepdims=True)
            statistics |= {f"mean{k}": mean, f"variance{k}": variance}
            h = (h - mean) / tf.sqrt(variance + BATCH_NORM_EPSILON)
            h = weights[f"scale{k}"] * h + weights[f"shift{k}"]
        h = _ACTIVATE[plan.activation](h)
        outputs.append(h)
        if masks:
            h = h * masks[k]
    last = len(plan.hidden)
    return tf.matmul(h, weights[f"kernel{last}"]) + weights[f"bias{last}"], outputs, statistics


def _losses(logits: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of each network."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), 1)


class _Networks:
    """Networks in training, for `run_networks`.

    Tracing a graph takes longer than a short training, so all that may change is a variable of the graph, and the same
    object serves every training with the same plan and optimizer.
    """

    def __init__(self, plan: NetworkPlan, networks: int, optimizer: str):
        self.plan, first = plan, initial_weights(plan, networks, seed=0)
        self.shapes = {name: value.shape for name, value in first.items() if is_trained(name)}
        self.statistics = {name: tf.Variable(value) for name, value in first.items() if not is_trained(name)}
        self.rows, self.kernels = tf.Variable(to_rows(first)), tf.constant(kernel_columns(first))
        self.optimizer = build_optimizer(optimizer, [self.rows], 0.1)
        self.knobs = {name: tf.Variable(0.0) for name in ("l2", "weight_decay", "clip_norm", "clip_value")}
        self.graph = tf.function(self._step)

    def start(self, weights: Weights, l2, weight_decay, clip_norm, clip_value) -> None:
        """Begin anew from these weights."""
        self.rows.assign(to_rows(weights))
        for name, value in self.statistics.items():
            value.assign(weights[name])
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        self.knobs["l2"].assign(l2)
        self.knobs["weight_decay"].assign(weight_decay)
        self.knobs["clip_norm"].assign(np.inf if clip_norm is None else clip_norm)
        self.knobs["clip_value"].assign(np.inf if clip_value is None else clip_value)

    def _weights(self) -> dict[str, tf.Tensor]:
        parts = tf.split(self.rows, [math.prod(shape[1:]) for shape in self.shapes.values()], 1)
        return {name: tf.reshape(part, shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}

    def step(self, x, y, masks, lr):
        self.optimizer.learning_rate.assign(lr)
        return self.graph(tf.convert_to_tensor(x), tf.convert_to_tensor(y), [tf.convert_to_tensor(m) for m in masks])

    def _step(self, x: tf.Tensor, y: tf.Tensor, masks: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits, _, statistics = _forward(self.plan, self._weights(), x, masks)
            loss = _losses(logits, y)
            total = tf.reduce_sum(loss)  # no network sees another, so this gives the gradient of each
        gradient, norm = self._shape_gradient(tape.gradient(total, self.rows))
        shrink = self.optimizer.learning_rate * self.knobs["weight_decay"]
        self.rows.assign(self.rows * (1 - shrink * self.kernels))
        for name, value in statistics.items():
            self.statistics[name].assign(0.9 * self.statistics[name] + 0.1 * value)
        self.optimizer.apply([gradient], [self.rows])
        return loss, norm

    def _shape_gradient(self, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Add the L2 term and clip, each network for itself; return the norms before clipping too."""
        gradient += self.knobs["l2"] * self.kernels * self.rows
        norm = tf.norm(gradient, axis=1)
        gradient *= tf.minimum(1.0, self.knobs["clip_norm"] / norm)[:, None]
        return tf.clip_by_value(gradient, -self.knobs["clip_value"], self.knobs["clip_value"]), norm

    def get_weights(self) -> Weights:
        statistics = {name: value.numpy() for name, value in self.statistics.items()}
        return from_rows(self.rows.numpy(), self.shapes) | statistics


_networks = functools.lru_cache(maxsize=32)(_Networks)


def train_networks(
    plan: NetworkPlan,
    x: np.ndarray,
    y: np.ndarray,
    x_val: np.ndarray,
    y_val: np.ndarray,
    *,
    networks: int = 10,
    epochs: int = 30,
    batch_size: int = 32,
    optimizer: str = "adam",
    lr: float | np.ndarray = 1e-3,
    initialisation: str | float = "he",
    dropout: float = 0.0,
    l2: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    snapshots: int = 0,
    seed: int = 0,
) -> TrainedNetworks:
    """Train several networks on the same data at once; each has its own first weights, order and dropped neurons.

    Args:
        plan: their shape.
        x: inputs `(n, inputs)` float32.
        y: labels `(n,)`, integers from 0.
        x_val: inputs to evaluate after each epoch; nothing is chosen by them here.
        y_val: labels of these.
        networks: how many.
        epochs: passes over `x`; images that do not fill a batch wait for the next one.
        batch_size: images a step.
        optimizer: one of `training_tricks.OPTIMIZERS`.
        lr: one rate, or one a step.
        initialisation: see `training_tricks.weight_spread`.
        dropout: share of the hidden neurons that a training step leaves out (Srivastava et al., JMLR 2014).
        l2: strength of a penalty `l2 / 2 * w**2` in the loss, for kernels.
        weight_decay: before each step kernels shrink by `lr * weight_decay`, apart from the gradient (Loshchilov and
            Hutter, ICLR 2019).
        clip_norm: scale the gradient of a network down to this norm where it is longer.
        clip_value: cut each entry of the gradient to this size.
        snapshots: keep the weights of so many last epochs.
        seed: of everything that is left to chance; the same in both frameworks.

    Raises:
        UnknownNameError: an unknown optimizer or initialisation.
        ValueError: inputs do not fit the plan or the labels, the batch is larger than the data, or the rates are not
            one a step.
    """
    weights = initial_weights(plan, networks, initialisation=initialisation, seed=seed)
    stepper = _networks(plan, networks, optimizer)
    stepper.start(weights, l2, weight_decay, clip_norm, clip_value)
    return run_networks(
        stepper, plan, x, y, x_val, y_val, networks=networks, epochs=epochs, batch_size=batch_size, lr=lr,
        dropout=dropout, snapshots=snapshots, seed=seed,
    )  # fmt: skip


def layer_spreads(plan: NetworkPlan, weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the outputs of each hidden layer spread, and the gradients that come back to them.

    Args:
        plan: the networks' shape.
        weights: from `initial_weights` or a training.
        x: inputs `(n, inputs)` float32.
        y: labels `(n,)`.

    Returns:
        Two arrays `(networks, hidden layers)`: root mean squares of the outputs, and of the loss's gradient with
        respect to them.
    """
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(tensors.values()))
        logits, outputs, _ = _forward(plan, tensors, tf.constant(np.asarray(x, np.float32))[None], [])
        loss = _losses(logits, tf.tile(tf.constant(np.asarray(y, np.int64))[None], [len(logits), 1]))
    gradients = tape.gradient(loss, outputs)
    both = ([np.sqrt(np.square(t.numpy().astype(float)).mean((1, 2))) for t in part] for part in (outputs, gradients))
    return tuple(np.stack(part, 1) for part in both)


def follow_optimizer(
    optimizer: str,
    gradient: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    steps: int,
    lr: float | np.ndarray,
    l2: float = 0.0,
    weight_decay: float = 0.0,
) -> np.ndarray:
    """The path of the framework's own optimizer down a gradient of your own.

    Args:
        optimizer: one of `training_tricks.OPTIMIZERS`.
        gradient: gives for weights `(d,)` float32 the gradient `(d,)`.
        start: first weights `(d,)`.
        steps: how many.
        lr: one rate, or one a step.
        l2: adds `l2 * w` to the gradient.
        weight_decay: before each step weights shrink by `lr * weight_decay`.

    Returns:
        The weights before the first step and after each, shape `(steps + 1, d)` float32.

    Raises:
        UnknownNameError: an unknown optimizer.
    """
    w = tf.Variable(np.asarray(start, np.float32))
    own, rates, path = build_optimizer(optimizer, [w], 0.1), np.broadcast_to(lr, steps), [w.numpy()]
    apply = tf.function(lambda g: own.apply([g], [w]))
    for rate in rates:
        here = path[-1]
        g = tf.constant(np.asarray(gradient(here) + l2 * here, np.float32))
        if weight_decay:
            w.assign(here * np.float32(1 - rate * weight_decay))
        own.learning_rate.assign(rate)
        apply(g)
        path.append(w.numpy())
    return np.stack(path)
