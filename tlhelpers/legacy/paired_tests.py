"""Two models, one test set: a paired test, which looks only at the images on which they differ."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class McNemar:
    """The images on which two models differ, and how surprising their division is.

    Attributes:
        only_a: images that the first model alone gets right.
        only_b: images that the second model alone gets right.
        p_value: probability of a division at least as uneven if both models were equally good, 0 to 1.
    """

    only_a: int
    only_b: int
    p_value: float


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> McNemar:
    """Exact test of McNemar: are two models equally often right on the same images?

    If they are, each image that only one of them gets right is a fair coin. The p-value is that of the two-sided
    binomial test (McNemar, Psychometrika 12, 1947; for classifiers: Dietterich, Neural Computation 10, 1998).

    Args:
        right_a: shape `(n,)`, bool: whether the first model is right on each image.
        right_b: the same for the second model, on the same images in the same order.

    Raises:
        ValueError: the arrays are not one-dimensional, or not of one length.
    """
    from scipy import stats

    right_a, right_b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if right_a.ndim != 1 or right_a.shape != right_b.shape:
        raise ValueError(
            f"expected two arrays of one shape (n,), for the same images, got {right_a.shape} and {right_b.shape}"
        )
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    differ = only_a + only_b
    return McNemar(only_a, only_b, float(stats.binomtest(only_a, differ).pvalue) if differ else 1.0)
