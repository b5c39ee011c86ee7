"""Training in PyTorch."""

import copy
import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.pytorch.classifiers import rate_groups
from tlhelpers.legacy.pytorch.precision import autocast_dtype, compute_context
from tlhelpers.legacy.training import History, check_pull, run_training

OPTIMIZERS = ("adam", "sgd")


def set_seed(seed: int) -> None:
    """Seed Python, numpy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries that learners add may still use it)
    torch.manual_seed(seed)


class Trainer:
    """One step and one evaluation, for `run_training`; the arguments are those of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: str = "adam",
        weight_decay: float = 0.0,
        layer_rates: Mapping[str, float] | None = None,
        l2_sp: float = 0.0,
    ):
        self.model = model
        self.device = next(model.parameters()).device
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("expected something to train, but every parameter is frozen; call unfreeze first")
        groups = [{"params": group, "factor": factor} for factor, group in rate_groups(model, layer_rates)]
        if optimizer == "adam":
            self.optimizer = torch.optim.AdamW(groups, weight_decay=weight_decay, eps=1e-7)
        elif optimizer == "sgd":
            self.optimizer = torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=weight_decay)
        else:
            raise UnknownNameError("optimizer", optimizer, OPTIMIZERS)
        self.l2_sp, self.anchors = check_pull(l2_sp), []
        if l2_sp:
            pulled = [p for p in getattr(model, "backbone", model).parameters() if p.requires_grad]
            self.anchors = [(p, p.detach().clone()) for p in pulled]
        short = autocast_dtype(model.precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=short == torch.float16)

    def _tensors(self, x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.from_numpy(np.array(x)).to(self.device).float()  # a copy: a memory map is read-only
        return x, torch.from_numpy(np.asarray(y, np.int64)).to(self.device)

    def step(self, x: np.ndarray, y: np.ndarray, lr: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step at the rate `lr`; mean loss and number of right answers, as tensors."""
        self.model.train()
        x, y = self._tensors(x, y)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        with compute_context(self.model.precision, self.device):
            logits = self.model(x)
        loss = F.cross_entropy(logits.float(), y)
        self.optimizer.zero_grad(set_to_none=True)
        pull = sum(((p - anchor) ** 2).sum() for p, anchor in self.anchors)
        self.scaler.scale(loss + 0.5 * self.l2_sp * pull).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), (logits.detach().argmax(1) == y).sum()

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy without training."""
        self.model.eval()
        loss, right = 0.0, 0
        with torch.inference_mode(), compute_context(self.model.precision, self.device):
            for start in range(0, len(x), 64):
                batch, labels = self._tensors(x[start : start + 64], y[start : start + 64])
                logits = self.model(batch).float()
                loss += float(F.cross_entropy(logits, labels, reduction="sum"))
                right += int((logits.argmax(1) == labels).sum())
        return loss / len(x), right / len(x)

    def get_weights(self) -> dict[str, torch.Tensor]:
        """A copy of all weights and statistics."""
        return copy.deepcopy(self.model.state_dict())

    def set_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Put back what `get_weights` gave."""
        self.model.load_state_dict(weights)


def fit(
    model: nn.Module,
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
    torch.manual_seed(seed)
    history = run_training(
        Trainer(model, optimizer, weight_decay, layer_rates, l2_sp), x, y, x_val, y_val,
        num_classes=model.num_classes, epochs=epochs, lr=lr, batch_size=batch_size, schedule=schedule, warmup=warmup,
        patience=patience, augment=augment, seed=seed, progress=progress,
    )  # fmt: skip
    model.eval()
    return history
