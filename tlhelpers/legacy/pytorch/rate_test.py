"""The learning-rate range test in PyTorch."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.pytorch.training import Trainer
from tlhelpers.legacy.rate_test import RateTest, run_rate_test


def rate_range_test(
    model: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 40,
    batch_size: int = 16,
    optimizer: str = "adam",
    layer_rates: Mapping[str, float] | None = None,
    seed: int = 0,
) -> RateTest:
    """Take a few steps with rates from `low` to `high`, each larger by the same factor, and note the loss.

    Smith, "Cyclical Learning Rates for Training Neural Networks" (WACV 2017), section 3.3. The test ends early where
    the loss explodes. Afterwards the weights are as they were.

    Args:
        model: a classifier with images, or a head with features; what is frozen stays so.
        x: inputs, as for `fit`.
        y: labels `(n,)`, integers from 0.
        low: the first learning rate.
        high: the last learning rate.
        steps: optimizer steps, 5 or more.
        batch_size: inputs per step.
        optimizer: "adam" or "sgd".
        layer_rates: as for `fit`.
        seed: of the order of the batches.

    Raises:
        ValueError: where the range does not rise, or everything is frozen.
    """
    x = check_images(x, model.input_size) if hasattr(model, "backbone") else x
    torch.manual_seed(seed)
    trainer = Trainer(model, optimizer, 0.0, layer_rates)
    test = run_rate_test(trainer, x, y, low=low, high=high, steps=steps, batch_size=batch_size, seed=seed)
    model.eval()
    return test
