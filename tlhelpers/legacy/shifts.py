"""Pictures under other conditions: less light, a worse sensor."""

import numpy as np


def darken(images: np.ndarray, light: float) -> np.ndarray:
    """The same pictures with less light.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        light: what is left of it, a fraction 0 to 1.

    Raises:
        ValueError: `light` is no fraction.
        TypeError: the images are not uint8.
    """
    if not 0 <= light <= 1:
        raise ValueError(f"expected light as a fraction of 0 to 1, got {light}")
    return np.round(_check(images) * np.float32(light)).astype(np.uint8)


def add_noise(images: np.ndarray, deviation: float, *, seed: int = 0) -> np.ndarray:
    """The same pictures with the noise of a poor sensor: normal, and independent for each value.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        deviation: standard deviation, in levels of 0 to 255.
        seed: of the noise.

    Raises:
        ValueError: `deviation` is negative.
        TypeError: the images are not uint8.
    """
    if deviation < 0:
        raise ValueError(f"expected a deviation of at least 0 levels, got {deviation}")
    noise = np.random.default_rng(seed).standard_normal(images.shape, np.float32) * np.float32(deviation)
    return np.clip(np.round(_check(images) + noise), 0, 255).astype(np.uint8)


def _check(images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8:
        raise TypeError(f"expected uint8 images, got {images.dtype}; round them to 8 bits first")
    return images
