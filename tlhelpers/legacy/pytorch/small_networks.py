"""Small networks in PyTorch, many at once; see `tlhelpers.legacy.training_tricks`. They run on the processor."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

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

_ACTIVATE = {"linear": lambda h: h, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def build_optimizer(name: str, variables: list[torch.Tensor], lr: float) -> torch.optim.Optimizer:
    """PyTorch's own optimizer, with the constants of `tlhelpers.legacy.training_tricks`.

    Raises:
        UnknownNameError: a name that is not in `OPTIMIZERS`.
    """
    if name not in OPTIMIZERS:
        raise UnknownNameError("optimizer", name, OPTIMIZERS)
    return {
        "sgd": lambda: torch.optim.SGD(variables, lr),
        "momentum": lambda: torch.optim.SGD(variables, lr, momentum=MOMENTUM),
        "adagrad": lambda: torch.optim.Adagrad(variables, lr, eps=EPSILON),
        "rmsprop": lambda: torch.optim.RMSprop(variables, lr, alpha=RHO, eps=EPSILON),
        "adam": lambda: torch.optim.Adam(variables, lr, betas=(BETA_1, BETA_2), eps=EPSILON),
    }[name]()


def _forward(plan: NetworkPlan, weights: dict[str, torch.Tensor], x: torch.Tensor, masks: list[torch.Tensor]):
    """Scores, the outputs of the hidden layers, and the batch statistics by name, in training mode."""
    h, outputs, statistics = x, [], {}
    for k in range(len(plan.hidden)):
        h = torch.matmul(h, weights[f"kernel{k}"]) + weights[f"bias{k}"]
        if plan.batch_norm:
            variance, mean = torch.var_mean(h, 1, correction=0, keepdim=True)
            statistics |= {f"mean{k}": mean.detach(), f"variance{k}": variance.detach()}
            h = (h - mean) / torch.sqrt(variance + BATCH_NORM_EPSILON)
            h = weights[f"scale{k}"] * h + weights[f"shift{k}"]
        h = _ACTIVATE[plan.activation](h)
        outputs.append(h)
        if masks:
            h = h * masks[k]
    last = len(plan.hidden)
    return torch.matmul(h, weights[f"kernel{last}"]) + weights[f"bias{last}"], outputs, statistics


def _losses(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each network."""
    return F.cross_entropy(logits.transpose(1, 2), y, reduction="none").mean(1)


class _Networks:
    """Networks in training, for `run_networks`."""

    def __init__(self, plan, weights, optimizer, l2, weight_decay, clip_norm, clip_value):
        self.plan, self.l2, self.weight_decay = plan, l2, weight_decay
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.shapes = {name: value.shape for name, value in weights.items() if is_trained(name)}
        self.statistics = {name: torch.tensor(value) for name, value in weights.items() if not is_trained(name)}
        self.rows, self.kernels = torch.tensor(to_rows(weights)), torch.from_numpy(kernel_columns(weights))
        self.rows.requires_grad_()
        self.optimizer = build_optimizer(optimizer, [self.rows], 0.1)

    def _weights(self) -> dict[str, torch.Tensor]:
        parts = torch.split(self.rows, [math.prod(shape[1:]) for shape in self.shapes.values()], 1)
        return {name: part.reshape(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}

    def step(self, x, y, masks, lr):
        masks = [torch.from_numpy(mask) for mask in masks]
        logits, _, statistics = _forward(self.plan, self._weights(), torch.from_numpy(x), masks)
        loss = _losses(logits, torch.from_numpy(y))
        self.optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()  # no network sees another, so this is the gradient of each
        with torch.no_grad():
            norm = self._shape_gradient()
            if self.weight_decay:
                self.rows.mul_(1 - float(lr) * self.weight_decay * self.kernels)
            for name, value in statistics.items():
                self.statistics[name].lerp_(value, 0.1)
        self.optimizer.param_groups[0]["lr"] = float(lr)
        self.optimizer.step()
        return loss.detach().numpy(), norm.numpy()

    def _shape_gradient(self) -> torch.Tensor:
        """Add the L2 term and clip, each network for itself; return the norms before clipping."""
        gradient = self.rows.grad
        if self.l2:
            gradient.add_(self.l2 * self.kernels * self.rows)
        norm = gradient.norm(dim=1)
        if self.clip_norm is not None:
            gradient.mul_(torch.clamp(self.clip_norm / norm, max=1)[:, None])
        if self.clip_value is not None:
            gradient.clamp_(-self.clip_value, self.clip_value)
        return norm

    def get_weights(self) -> Weights:
        statistics = {name: value.numpy().copy() for name, value in self.statistics.items()}
        return from_rows(self.rows.detach().numpy().copy(), self.shapes) | statistics


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
    stepper = _Networks(plan, weights, optimizer, l2, weight_decay, clip_norm, clip_value)
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
    tensors = {name: torch.tensor(value, requires_grad=is_trained(name)) for name, value in weights.items()}
    logits, outputs, _ = _forward(plan, tensors, torch.from_numpy(np.asarray(x, np.float32))[None], [])
    labels = torch.from_numpy(np.asarray(y, np.int64)).expand(len(logits), -1)
    gradients = torch.autograd.grad(_losses(logits, labels).sum(), outputs)
    both = ([t.detach().double().square().mean((1, 2)).sqrt() for t in part] for part in (outputs, gradients))
    return tuple(torch.stack(part, 1).numpy() for part in both)


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
    w = torch.tensor(np.asarray(start, np.float32))
    own, rates, path = build_optimizer(optimizer, [w], 0.1), np.broadcast_to(lr, steps), [w.numpy().copy()]
    for rate in rates:
        here = path[-1]
        w.grad = torch.from_numpy(np.asarray(gradient(here) + l2 * here, np.float32))
        w.mul_(1 - float(rate) * weight_decay)
        own.param_groups[0]["lr"] = float(rate)
        own.step()
        path.append(w.numpy().copy())
    return np.stack(path)
