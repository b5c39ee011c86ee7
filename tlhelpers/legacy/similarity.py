"""How alike two sets of features of the same images are, also where their channels cannot be matched one by one."""

import numpy as np


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear centred kernel alignment of two sets of features of the same images.

    Kornblith, Norouzi, Lee and Hinton, "Similarity of Neural Network Representations Revisited" (ICML 2019), section 3:
    after centring, the squared Frobenius norm of `x.T @ y` over the product of the norms of `x.T @ x` and `y.T @ y`. It
    does not change when channels are permuted, rotated, or all multiplied by one number.

    With fewer images than channels it is biased upwards: features that have nothing in common score well above 0.

    Args:
        x: shape `(n, p)`, features of n images.
        y: shape `(n, q)`, other features of the same images in the same order.

    Returns:
        0 (nothing in common) to 1 (the same but for a rotation and a scale); NaN where one of both has the same
        features for all images, so that there is nothing to compare.

    Raises:
        ValueError: where the arrays are not two-dimensional and finite, have different numbers of rows, or fewer than
            two.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < 2:
        raise ValueError(
            f"expected features (n, p) and (n, q) of the same n >= 2 images, got {x.shape} and {y.shape}; "
            "pool feature maps over their pixels first"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("expected finite features, got NaN or infinity")
    x, y = _centred(x), _centred(y)
    if not (x.any() and y.any()):
        return float("nan")
    n, p, q = len(x), x.shape[1], y.shape[1]
    if n < max(p, q):  # the same number from the smaller matrices, images by images
        kernel, other = x @ x.T, y @ y.T
        common, own, others = np.vdot(kernel, other), np.linalg.norm(kernel), np.linalg.norm(other)
    else:
        common, own, others = (x.T @ y), np.linalg.norm(x.T @ x), np.linalg.norm(y.T @ y)
        common = np.vdot(common, common)
    return float(np.clip(common / (own * others), 0.0, 1.0))


def _centred(x: np.ndarray) -> np.ndarray:
    """Without the mean of each column, and scaled so that no square overflows or vanishes; rounding becomes 0."""
    largest = np.abs(x).max(initial=0.0)
    if largest == 0.0:
        return x
    x = x / largest
    x = x - x.mean(0)
    spread = np.abs(x).max(initial=0.0)
    return x / spread if spread > 1e-12 else np.zeros_like(x)
