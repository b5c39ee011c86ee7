"""The training loop that both frameworks share: batches, progress, early stopping, the best weights kept.

A framework contributes a `Trainer`: one optimizer step, one evaluation, and a way to read and set weights. Both see the
same images in the same order with the same augmentation, so that their results may be compared.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm.auto import tqdm

from tlhelpers.errors import UnknownNameError


@dataclass
class History:
    """What a training run went through, one entry per epoch.

    Attributes:
        loss: mean cross-entropy on the training batches, in nats.
        accuracy: share of right answers on the training batches, as a fraction.
        val_loss: the same on the validation set; empty without one.
        val_accuracy: likewise.
        seconds: duration of the epoch, evaluation included.
        best_epoch: index of the epoch whose weights were kept.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def total_seconds(self) -> float:
        """Duration of the whole run, in seconds."""
        return sum(self.seconds)


class Trainer(Protocol):
    """What a framework contributes."""

    def step(self, x: np.ndarray, y: np.ndarray, lr: float) -> tuple[Any, Any]:
        """Take one optimizer step; return the mean loss and the number of right answers, as scalars of any kind."""

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy without training."""

    def get_weights(self) -> Any:
        """A copy of all weights and statistics."""

    def set_weights(self, weights: Any) -> None:
        """Put back what `get_weights` gave."""


def augment_batch(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip half of the images and shift each by up to an eighth of its side; shape `(n, h, w, 3)` uint8 stays."""
    n, height, width, _ = images.shape
    pad_y, pad_x = max(1, height // 8), max(1, width // 8)
    padded = np.pad(images, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)), mode="reflect")
    tops, lefts = rng.integers(0, 2 * pad_y + 1, n), rng.integers(0, 2 * pad_x + 1, n)
    flips = rng.random(n) < 0.5
    out = np.empty_like(images)
    for i in range(n):
        crop = padded[i, tops[i] : tops[i] + height, lefts[i] : lefts[i] + width]
        out[i] = crop[:, ::-1] if flips[i] else crop
    return out


def iterate_batches(
    x: np.ndarray, y: np.ndarray, batch_size: int, rng: np.random.Generator, augment: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled batches of `x` and `y`; a last batch of one is joined to the one before, for BatchNorm's sake."""
    order = rng.permutation(len(x))
    starts = list(range(0, len(x), batch_size))
    if len(starts) > 1 and len(x) - starts[-1] == 1:
        starts.pop()
    for start, stop in zip(starts, [*starts[1:], len(x)], strict=True):
        pick = np.sort(order[start:stop])  # sorted, since a memory map is read faster in order
        batch = np.asarray(x[pick])
        yield (augment_batch(batch, rng) if augment else batch), y[pick]


def learning_rate(lr: float, schedule: str, step: int, total: int, warmup: float | None = None) -> float:
    """The rate at a step, counted from 0, of `total` steps.

    Args:
        lr: the highest rate.
        schedule: "constant", or "cosine": half a cosine down to zero (Loshchilov and Hutter, ICLR 2017).
        step: 0 to `total - 1`.
        total: steps of the run.
        warmup: fraction of the run in which the rate first climbs in equal steps; None for a tenth under "cosine" and
            for none under "constant".

    Raises:
        ValueError: for another schedule, or a fraction outside 0 to 1.
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f'expected schedule "constant" or "cosine", got {schedule!r}')
    if warmup is not None and not 0 <= warmup <= 1:
        raise ValueError(f"expected warmup as a fraction of the run, 0 to 1, got {warmup}")
    usual = max(1, total // 10) if schedule == "cosine" else 0
    climb = usual if warmup is None else round(warmup * total)
    if step < climb:
        return lr * (step + 1) / climb
    if schedule == "constant":
        return lr
    return lr * 0.5 * (1 + math.cos(math.pi * (step - climb) / max(1, total - climb)))


def discriminative_rates(layer_names: Sequence[str], divide: float = 2.6) -> dict[str, float]:
    """Factors on the rate that fall from the head to the image, for `fit(..., layer_rates=...)`.

    Each layer learns `divide` times as slowly as the one after it. 2.6 is the value of Howard and Ruder, "Universal
    Language Model Fine-tuning for Text Classification" (ACL 2018).

    >>> discriminative_rates(["stem", "stage1"], divide=2)
    {'stem': 0.25, 'stage1': 0.5, 'head': 1.0}
    """
    names = [*layer_names, "head"]
    return {name: divide ** (k - len(names) + 1) for k, name in enumerate(names)}


def resolve_layer_rates(layer_rates: Mapping[str, float] | None, layer_names: Sequence[str]) -> dict[str, float]:
    """A factor for each layer and for "head", from factors for some of them.

    A layer that is not named learns like the nearest named one before it; what has none before it, at factor 1. The
    head takes part only by its own name, and else has factor 1.

    Raises:
        UnknownNameError: where there is no such layer.
        ValueError: where a factor is negative or no number.
    """
    rates = dict(layer_rates or {})
    for name, factor in rates.items():
        if name != "head" and name not in layer_names:
            raise UnknownNameError("layer", name, [*layer_names, "head"])
        if not (math.isfinite(factor) and factor >= 0):
            raise ValueError(f"expected a factor of 0 or more for {name}, got {factor}")
    resolved, factor = {}, 1.0
    for name in layer_names:
        factor = resolved[name] = float(rates.get(name, factor))
    return resolved | {"head": float(rates.get("head", 1.0))}


def check_weights(weights: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]]) -> None:
    """Refuse weights whose number or shapes differ from those of the model that is to take them."""
    found = [tuple(np.shape(array)) for array in weights]
    if found != list(shapes):
        raise ValueError(
            f"expected weights of get_weights from the same architecture: {len(shapes)} arrays, the first of shapes "
            f"{list(shapes)[:2]}; got {len(found)} of {found[:2]}"
        )


def check_pull(l2_sp: float) -> float:
    """Refuse a pull that is negative or no number."""
    if not (math.isfinite(l2_sp) and l2_sp >= 0):
        raise ValueError(f"expected l2_sp of 0 or more, got {l2_sp}")
    return l2_sp


def _check(x, y, x_val, y_val, epochs, batch_size, num_classes) -> None:
    for name, inputs, labels in (("x, y", x, y), ("x_val, y_val", x_val, y_val)):
        if inputs is None:
            continue
        if labels is None or len(inputs) != len(labels) or len(inputs) == 0:
            count = "no labels" if labels is None else f"{len(labels)} labels"
            raise ValueError(f"expected as many labels as inputs, and at least one, in {name}; "
                             f"got {len(inputs)} inputs and {count}")  # fmt: skip
        if labels.min() < 0 or labels.max() >= num_classes:
            raise ValueError(f"expected labels of 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}; "
                             "build the classifier with as many classes as the data has")  # fmt: skip
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"expected epochs >= 1 and batch_size >= 1, got {epochs} and {batch_size}")


def run_training(
    trainer: Trainer,
    x: np.ndarray,
    y: np.ndarray,
    x_val: np.ndarray | None,
    y_val: np.ndarray | None,
    *,
    num_classes: int,
    epochs: int,
    lr: float,
    batch_size: int,
    schedule: str,
    patience: int | None,
    augment: bool,
    seed: int,
    progress: bool,
    warmup: float | None = None,
) -> History:
    """Train; see `fit` of `tlhelpers.legacy.pytorch` or `tlhelpers.legacy.tensorflow` for the arguments.

    Raises:
        ValueError: where inputs and labels do not belong together, or the loss is no longer a number.
    """
    y, y_val = np.asarray(y), None if y_val is None else np.asarray(y_val)
    _check(x, y, x_val, y_val, epochs, batch_size, num_classes)
    rng, history, best, best_loss = np.random.default_rng(seed), History(), None, math.inf
    total = epochs * math.ceil(len(x) / batch_size)
    step = 0
    with tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        for epoch in range(epochs):
            started, losses, right, sizes = time.perf_counter(), [], [], []
            for batch_x, batch_y in iterate_batches(x, y, batch_size, rng, augment):
                loss, correct = trainer.step(batch_x, batch_y, learning_rate(lr, schedule, step, total, warmup))
                losses.append(loss)
                right.append(correct)
                sizes.append(len(batch_y))
                step += 1
            history.loss.append(float(np.average([float(v) for v in losses], weights=sizes)))
            history.accuracy.append(sum(float(v) for v in right) / len(x))
            if not math.isfinite(history.loss[-1]):
                raise ValueError(
                    f"the loss is {history.loss[-1]} in epoch {epoch + 1}: lower the learning rate, {lr:g}"
                )
            postfix = {"loss": f"{history.loss[-1]:.3f}", "accuracy": f"{history.accuracy[-1]:.1%}"}
            if x_val is not None:
                val_loss, val_accuracy = trainer.evaluate(x_val, y_val)
                history.val_loss.append(val_loss)
                history.val_accuracy.append(val_accuracy)
                postfix["val"] = f"{val_accuracy:.1%}"
                if val_loss < best_loss:
                    best_loss, best, history.best_epoch = val_loss, trainer.get_weights(), epoch
            else:
                history.best_epoch = epoch
            history.seconds.append(time.perf_counter() - started)
            bar.set_postfix(postfix, refresh=False)
            bar.update()
            if patience is not None and x_val is not None and epoch - history.best_epoch >= patience:
                break
    if best is not None:
        trainer.set_weights(best)
    return history
