"""Accuracy on slices of a test set, and how far chance alone would spread it."""

from collections.abc import Sequence

import numpy as np

from tlhelpers.metrics import Estimate, wilson_interval


def accuracy_by_slice(right: np.ndarray, slices: np.ndarray | Sequence) -> dict[str, Estimate]:
    """Accuracy on each slice with its Wilson interval, the lowest first.

    Args:
        right: shape `(n,)`, bool: whether the model is right on each image.
        slices: shape `(n,)`, the slice that each image belongs to, such as its breed.

    Raises:
        ValueError: the lengths differ.
    """
    right, slices = _check(right, slices)
    found = {str(name): right[slices == name] for name in np.unique(slices)}
    estimates = {name: wilson_interval(float(values.mean()), len(values)) for name, values in found.items()}
    return dict(sorted(estimates.items(), key=lambda item: item[1].value))


def worst_slice_by_chance(
    right: np.ndarray, slices: np.ndarray | Sequence, *, draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """Accuracies of the worst slice where slices mean nothing: the same answers, dealt out to slices at random.

    A permutation test: compare the worst slice that was found with these.

    Args:
        right: as for `accuracy_by_slice`.
        slices: likewise; sizes are kept.
        draws: how often the answers are dealt out.
        seed: of the dealing.

    Returns:
        Shape `(draws,)`, fractions.

    Raises:
        ValueError: the lengths differ.
    """
    right, slices = _check(right, slices)
    groups = np.unique(slices, return_inverse=True)[1]
    sizes = np.bincount(groups)
    rng = np.random.default_rng(seed)
    return np.array([(np.bincount(groups, rng.permutation(right)) / sizes).min() for _ in range(draws)])


def _check(right, slices) -> tuple[np.ndarray, np.ndarray]:
    right, slices = np.asarray(right, float), np.asarray(slices)
    if right.ndim != 1 or right.shape != slices.shape or not len(right):
        raise ValueError(
            f"expected as many slices as answers, and at least one, got shapes {slices.shape} and {right.shape}"
        )
    return right, slices
