"""Feature maps put to use: class activation maps, and the places that excite a channel most. numpy in, numpy out."""

import numpy as np
from PIL import Image


def combine_maps(maps: np.ndarray, gradients: np.ndarray, size: int) -> np.ndarray:
    """Grad-CAM from a layer's maps and the gradient of a class score with respect to them.

    Selvaraju et al. (ICCV 2017), eq. 1: the weight of a channel is the mean of its gradient over the pixels. Eq. 2: the
    weighted maps are added up, and what is below 0 is cut off.

    Args:
        maps: shape `(n, h, w, channels)`, float.
        gradients: the same shape.
        size: side of the result in pixels.

    Returns:
        Shape `(n, size, size)`, float32; the largest value of each is 1, or all are 0.

    Raises:
        ValueError: for another shape, as of a layer that has no maps.
    """
    if maps.ndim != 4 or maps.shape != gradients.shape:
        raise ValueError(f"expected maps (n, h, w, channels) and gradients like them, got {maps.shape}; take a layer "
                         "whose output still has pixels")  # fmt: skip
    weights = gradients.mean((1, 2), keepdims=True)
    evidence = np.maximum((weights * maps).sum(-1), 0).astype(np.float32)
    strongest = evidence.max((1, 2), keepdims=True, initial=0.0)
    evidence /= np.where(strongest > 0, strongest, 1)
    enlarged = [Image.fromarray(one).resize((size, size), Image.Resampling.BILINEAR) for one in evidence]
    out = np.stack([np.asarray(one) for one in enlarged]) if len(enlarged) else np.empty((0, size, size), np.float32)
    return np.clip(out, 0, 1)


def share_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How much of each map lies inside a mask: a fraction of the map's sum; NaN where the map is 0 everywhere.

    Args:
        maps: shape `(n, h, w)`, not negative.
        masks: the same shape, bool.

    Returns:
        Shape `(n,)`, 0 to 1. A map that knows nothing has the share of the mask in the picture.
    """
    inside, total = (maps * masks).sum((1, 2)), maps.sum((1, 2))
    return np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0)


def cover_places(images: np.ndarray, places: np.ndarray, side: int) -> np.ndarray:
    """Put a grey square on each picture.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        places: rows and columns of the squares' centres, shape `(n, 2)`; a square at the border is cut off there.
        side: of a square, in pixels.
    """
    covered = images.copy()
    for image, (row, column) in zip(covered, places, strict=True):
        top, left = max(0, row - side // 2), max(0, column - side // 2)
        image[top : row - side // 2 + side, left : column - side // 2 + side] = 128
    return covered


def strongest_place(maps: np.ndarray) -> np.ndarray:
    """Row and column of the largest value of each map `(n, h, w)`: shape `(n, 2)`, integers."""
    return np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(1), maps.shape[1:]), axis=1)


def choosy_channels(maps: np.ndarray, count: int, *, top: int = 5) -> np.ndarray:
    """Channels that answer strongly to a few pictures and weakly to the rest.

    Args:
        maps: shape `(n, h, w, channels)`, float.
        count: how many channels.
        top: number of pictures that count as a few.

    Returns:
        Channels, shape `(count,)`: those whose mean over the `top` strongest pictures lies furthest above the mean of
        all, in standard deviations.
    """
    peaks = np.sort(maps.max((1, 2)), axis=0)
    contrast = (peaks[-top:].mean(0) - peaks.mean(0)) / np.maximum(peaks.std(0), 1e-9)
    return np.argsort(-contrast, kind="stable")[:count]


def strongest_patches(images: np.ndarray, maps: np.ndarray, channel: int, side: int, *, top: int = 5) -> np.ndarray:
    """The parts of pictures that excite a channel most, one a picture, the strongest first.

    After Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014), section 3, where they
    stand beside the reconstructions.

    Args:
        images: shape `(n, size, size, 3)`.
        maps: shape `(n, h, w, channels)`, of the same images.
        channel: which one.
        side: of the patches, in pixels; not more than `size`.
        top: number of patches.

    Returns:
        Shape `(top, side, side, 3)`.
    """
    one = maps[..., channel]
    best = np.argsort(-one.max((1, 2)), kind="stable")[:top]
    size, scale = images.shape[1], images.shape[1] / maps.shape[1]
    corners = np.rint((strongest_place(one[best]) + 0.5) * scale - side / 2).astype(int).clip(0, size - side)
    return np.stack([images[i, r : r + side, c : c + side] for i, (r, c) in zip(best, corners, strict=True)])
