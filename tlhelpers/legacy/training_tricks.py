"""Many small fully connected networks, trained at once, to measure what a training trick does.

All weights have a leading axis, one entry a network, so ten seeds cost hardly more than one. What is left to chance
(first weights, order of the images, dropout) is drawn here with numpy, so both frameworks train the same networks. A
framework contributes the step: gradients and its own optimizer (`small_networks` in either mirror).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tlhelpers.errors import UnknownNameError

ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh")
INITIALISATIONS = ("glorot", "he", "unit")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
SCHEDULES = ("constant", "step", "cosine")
MOMENTUM, RHO, BETA_1, BETA_2 = 0.9, 0.9, 0.9, 0.999
EPSILON = 1e-7  # of Adagrad, RMSProp and Adam, outside the root
BATCH_NORM_EPSILON = 1e-5

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class NetworkPlan:
    """A fully connected network.

    Attributes:
        inputs: how many numbers go in.
        classes: how many scores come out.
        hidden: neurons of each hidden layer; none at all is a linear classifier.
        activation: of the hidden layers, one of `ACTIVATIONS`.
        batch_norm: normalise each hidden layer before its activation (Ioffe and Szegedy, ICML 2015).

    Raises:
        UnknownNameError: an unknown activation.
    """

    inputs: int
    classes: int
    hidden: tuple[int, ...] = (64,)
    activation: str = "relu"
    batch_norm: bool = False

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise UnknownNameError("activation", self.activation, ACTIVATIONS)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers between the layers, from the inputs to the scores."""
        return (self.inputs, *self.hidden, self.classes)


@dataclass
class TrainedNetworks:
    """What training many networks gave.

    Attributes:
        plan: their shape.
        weights: the last ones.
        snapshots: the weights after each of the last epochs, oldest first; as many as were asked for.
        loss: mean cross-entropy on the training batches, in nats, shape `(networks, epochs)`.
        val_loss: on the validation data after each epoch, the same shape.
        val_accuracy: the same as fractions.
        gradient_norms: before clipping, shape `(networks, steps)`.
    """

    plan: NetworkPlan
    weights: Weights
    snapshots: list[Weights]
    loss: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    gradient_norms: np.ndarray


class Stepper(Protocol):
    """What a framework contributes: networks in training."""

    def step(self, x: np.ndarray, y: np.ndarray, masks: list[np.ndarray], lr: float) -> tuple[Any, Any]:
        """Take one step; return the loss and the norm of the gradient of each network, both `(networks,)`."""

    def get_weights(self) -> Weights:
        """A copy of the weights and the statistics of batch normalisation."""


def weight_spread(initialisation: str | float, inputs: int, outputs: int) -> float:
    """Standard deviation of the first weights of a layer.

    Args:
        initialisation: "unit" (1), "glorot" (Glorot and Bengio, AISTATS 2010), "he" (He et al., ICCV 2015), or a
            number: so many times He's.
        inputs: numbers that go into a neuron.
        outputs: neurons of the layer.

    Raises:
        UnknownNameError: an unknown name.
    """
    if isinstance(initialisation, int | float):
        return initialisation * math.sqrt(2 / inputs)
    if initialisation not in INITIALISATIONS:
        raise UnknownNameError("initialisation", initialisation, INITIALISATIONS)
    return {"unit": 1.0, "glorot": math.sqrt(2 / (inputs + outputs)), "he": math.sqrt(2 / inputs)}[initialisation]


def initial_weights(plan: NetworkPlan, networks: int, *, initialisation: str | float = "he", seed: int = 0) -> Weights:
    """First weights: normally distributed kernels, zero biases.

    Returns:
        By name, float32, the first axis the networks: `kernel0` `(networks, inputs, outputs)`, `bias0`
        `(networks, 1, outputs)`, ..., and with batch normalisation `scale0`, `shift0` (trained), `mean0` and
        `variance0` (running statistics) of the hidden layers.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for k, (inputs, outputs) in enumerate(zip(plan.sizes[:-1], plan.sizes[1:], strict=True)):
        spread = weight_spread(initialisation, inputs, outputs)
        weights[f"kernel{k}"] = spread * rng.standard_normal((networks, inputs, outputs), np.float32)
        weights[f"bias{k}"] = np.zeros((networks, 1, outputs), np.float32)
        if plan.batch_norm and k < len(plan.hidden):
            for name, value in (("scale", 1), ("shift", 0), ("mean", 0), ("variance", 1)):
                weights[f"{name}{k}"] = np.full((networks, 1, outputs), value, np.float32)
    return weights


def is_trained(name: str) -> bool:
    """Whether entries of `Weights` are trained; the running statistics of batch normalisation are not."""
    return not name.startswith(("mean", "variance"))


def to_rows(weights: Weights) -> np.ndarray:
    """All trained weights as one array `(networks, parameters)`, so that an optimizer has one variable to care for."""
    return np.concatenate([v.reshape(len(v), -1) for name, v in weights.items() if is_trained(name)], 1)


def from_rows(rows: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> Weights:
    """The way back from `to_rows`; `shapes` are those of the trained weights, in their order."""
    ends = np.cumsum([math.prod(shape[1:]) for shape in shapes.values()])
    parts = np.split(rows, ends[:-1], 1)
    return {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}


def kernel_columns(weights: Weights) -> np.ndarray:
    """Which columns of `to_rows` are kernels, 1 or 0, shape `(1, parameters)` float32: biases do not decay."""
    sizes = [(name.startswith("kernel"), v[0].size) for name, v in weights.items() if is_trained(name)]
    return np.concatenate([np.full((1, size), kernel, np.float32) for kernel, size in sizes], 1)


def predict_networks(plan: NetworkPlan, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Probabilities of shape `(networks, n, classes)` for inputs `(n, inputs)`, batch statistics and dropout off."""
    h = np.asarray(x, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(len(plan.hidden)):
            h = h @ weights[f"kernel{k}"] + weights[f"bias{k}"]
            if plan.batch_norm:
                h = (h - weights[f"mean{k}"]) / np.sqrt(weights[f"variance{k}"] + BATCH_NORM_EPSILON)
                h = weights[f"scale{k}"] * h + weights[f"shift{k}"]
            h = _activate(plan.activation, h)
        last = len(plan.hidden)
        logits = h @ weights[f"kernel{last}"] + weights[f"bias{last}"]
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return odds / odds.sum(-1, keepdims=True)


def _activate(name: str, h: np.ndarray) -> np.ndarray:
    if name == "relu":
        return np.maximum(h, 0)
    if name == "tanh":
        return np.tanh(h)
    return 1 / (1 + np.exp(-h)) if name == "sigmoid" else h


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Mean of `-log p(label)` in nats, over the images; `(..., n, classes)` gives `(...)`."""
    chosen = probabilities[..., np.arange(len(labels)), labels]
    return -np.log(np.maximum(chosen, 1e-12)).mean(-1)


def right_answers(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Whether each network is right on each image, shape `(networks, n)`, bool."""
    return (probabilities.argmax(-1) == labels) & np.isfinite(probabilities).all(-1)


def average_weights(snapshots: Sequence[Weights], decay: float | None = None) -> Weights:
    """The mean of several sets of weights of the same networks (Izmailov et al., UAI 2018).

    Args:
        snapshots: oldest first.
        decay: None weighs all alike; else each older one counts `decay` times the next (a moving average).
    """
    counts = np.ones(len(snapshots)) if decay is None else decay ** np.arange(len(snapshots))[::-1]
    counts = (counts / counts.sum()).astype(np.float32)
    return {name: sum(c * s[name] for c, s in zip(counts, snapshots, strict=True)) for name in snapshots[0]}


def learning_rates(schedule: str, lr: float, steps: int, *, warmup: int = 0) -> np.ndarray:
    """The learning rate at each step, shape `(steps,)`.

    Args:
        schedule: "constant"; "step" (a tenth after half of the steps, a hundredth after three quarters); or "cosine"
            (half a cosine from `lr` down to 0: Loshchilov and Hutter, ICLR 2017, without restarts).
        lr: the highest rate.
        steps: how many.
        warmup: so many first steps climb to `lr` in a straight line.

    Raises:
        UnknownNameError: an unknown schedule.
    """
    if schedule not in SCHEDULES:
        raise UnknownNameError("schedule", schedule, SCHEDULES)
    done = np.arange(steps) / steps
    shape = {
        "constant": np.ones(steps),
        "step": np.where(done < 0.5, 1, np.where(done < 0.75, 0.1, 0.01)),
        "cosine": 0.5 * (1 + np.cos(np.pi * done)),
    }[schedule]
    return lr * shape * np.minimum(1, (np.arange(steps) + 1) / max(1, warmup))


def run_networks(
    stepper: Stepper,
    plan: NetworkPlan,
    x: np.ndarray,
    y: np.ndarray,
    x_val: np.ndarray,
    y_val: np.ndarray,
    *,
    networks: int,
    epochs: int,
    batch_size: int,
    lr: float | np.ndarray,
    dropout: float,
    snapshots: int,
    seed: int,
) -> TrainedNetworks:
    """Train; see `train_networks` of `tlhelpers.legacy.pytorch.small_networks` for the arguments.

    Raises:
        ValueError: inputs do not fit the plan or the labels, the batch is larger than the data, or the rates are not
            one a step.
    """
    if x.ndim != 2 or x.shape[1] != plan.inputs or len(x) != len(y):
        raise ValueError(
            f"expected x of shape (n, {plan.inputs}) and as many labels, got {x.shape} and {len(y)} labels"
        )
    if not 1 <= batch_size <= len(x) or epochs < 1 or not 0 <= dropout < 1:
        raise ValueError(f"expected batch_size of 1 to {len(x)}, epochs >= 1 and dropout from 0 to below 1, "
                         f"got {batch_size}, {epochs} and {dropout}")  # fmt: skip
    if np.min(y) < 0 or np.max(y) >= plan.classes:
        raise ValueError(f"expected labels of 0 to {plan.classes - 1}, got {np.min(y)} to {np.max(y)}")
    a_epoch = len(x) // batch_size
    if np.ndim(lr) and len(lr) != epochs * a_epoch:
        raise ValueError(f"expected one rate, or {epochs * a_epoch} of them, one a step, got {len(lr)}")
    rates = np.broadcast_to(np.asarray(lr, np.float32), epochs * a_epoch)
    rng = np.random.default_rng(seed + 1)
    x, y = np.asarray(x, np.float32), np.asarray(y, np.int64)
    curves, norms, kept = [], [], []
    for epoch in range(epochs):
        order = rng.random((networks, len(x))).argsort(1)  # each network has its own
        losses = []
        for step in range(a_epoch):
            pick = order[:, step * batch_size : (step + 1) * batch_size]
            masks = _masks(rng, plan, networks, batch_size, dropout)
            loss, norm = stepper.step(x[pick], y[pick], masks, rates[epoch * a_epoch + step])
            losses.append(np.asarray(loss))
            norms.append(np.asarray(norm))
        weights = stepper.get_weights()
        kept = [*kept, weights][-snapshots:] if snapshots else []
        probabilities = predict_networks(plan, weights, x_val)
        curves.append(
            [np.mean(losses, 0), cross_entropy(y_val, probabilities), right_answers(y_val, probabilities).mean(1)]
        )
    loss, val_loss, val_accuracy = np.moveaxis(np.array(curves), 0, -1)
    return TrainedNetworks(plan, weights, kept, loss, val_loss, val_accuracy, np.stack(norms, 1))


def _masks(rng: np.random.Generator, plan: NetworkPlan, networks: int, n: int, dropout: float) -> list[np.ndarray]:
    """What each hidden neuron is multiplied with: 0 where it is dropped, 1 / (1 - rate) where it stays."""
    if not dropout:
        return []
    keep = np.float32(1 - dropout)
    return [(rng.random((networks, n, size), np.float32) < keep) / keep for size in plan.hidden]


def check_number(
    answer: float | None, expected: float, *, hint: str, language: str = "en", within: float = 0.02
) -> bool:
    """Say whether a learner's number is right to a share of `within`, with a hint where it is not.

    Returns:
        Whether it is right; also False where there is no answer yet.
    """
    spanish = language == "es"
    if answer is None:
        print("Escriba su respuesta en my_answer y ejecute la celda." if spanish else
              "Write your answer into my_answer and run the cell.")  # fmt: skip
        return False
    right = isinstance(answer, int | float) and math.isclose(answer, expected, rel_tol=within)
    wrong = f"✘ Todavía no. {hint}" if spanish else f"✘ Not yet. {hint}"
    print(("✔ Correcto." if spanish else "✔ Right.") if right else wrong)
    return right
