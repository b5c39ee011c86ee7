"""The training loop of PyTorch's documentation, with early stopping."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: Optimizer) -> tuple[float, float]:
    """One pass over the data; returns the mean loss (nats) and the accuracy (a fraction) on the way."""
    model.train()
    for module in model.modules():  # `train()` has woken BatchNorm up everywhere; where it is frozen, it sleeps on
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()
    device = next(model.parameters()).device
    total_loss, right, seen = 0.0, 0, 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()  # forget the gradients of the step before
        loss.backward()  # a gradient for each weight that learns
        optimizer.step()  # a small step against the gradient
        total_loss += loss.item() * len(y)
        right += (logits.argmax(1) == y).sum().item()
        seen += len(y)
    return total_loss / seen, right / seen


def evaluate(model: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Mean loss (nats) and accuracy (a fraction), without learning anything."""
    model.eval()
    device = next(model.parameters()).device
    total_loss, right, seen = 0.0, 0, 0
    with torch.inference_mode():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            total_loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
            seen += len(y)
    return total_loss / seen, right / seen


def fit(
    model: nn.Module, optimizer: Optimizer, loader: DataLoader, val_loader: DataLoader, *, patience: int, epochs: int
) -> dict[str, list[float]]:
    """Trains until the validation loss has not fallen for some epochs, and puts the best weights back.

    Args:
        model: Trained in place.
        optimizer: Over the parameters that shall learn. Its rate falls where the loss does not, three times at most
            before the end of patience.
        loader: Batches to learn from.
        val_loader: Batches to stop by.
        patience: Epochs without a lower validation loss after which training ends.
        epochs: At most so many.

    Returns:
        For each epoch `loss`, `accuracy`, `val_loss` and `val_accuracy`.
    """
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    schedule = ReduceLROnPlateau(optimizer, factor=0.3, patience=patience // 3)
    lowest, best_epoch, best_weights = float("inf"), 0, None
    for epoch in range(epochs):
        results = (*train_epoch(model, loader, optimizer), *evaluate(model, val_loader))
        for values, result in zip(history.values(), results, strict=True):
            values.append(result)
        schedule.step(history["val_loss"][-1])
        if history["val_loss"][-1] < lowest:
            lowest, best_epoch = history["val_loss"][-1], epoch
            best_weights = copy.deepcopy(model.state_dict())
        elif epoch - best_epoch >= patience:
            break
    model.load_state_dict(best_weights)
    return history
