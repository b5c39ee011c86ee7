"""What happens to a picture on its way: files, resizing, blur. And how alike two pictures look to the eye."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from tlhelpers.errors import UnknownNameError


def _file(format: str, **options) -> Callable[[Image.Image], Image.Image]:
    def write_and_read(image: Image.Image) -> Image.Image:
        buffer = BytesIO()
        image.save(buffer, format, **options)
        return Image.open(buffer).convert("RGB")

    return write_and_read


def _half_and_back(image: Image.Image) -> Image.Image:
    width, height = image.size
    half = image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BICUBIC)
    return half.resize((width, height), Image.Resampling.BICUBIC)


DISTORTIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "PNG": _file("PNG"),
    "JPEG 95": _file("JPEG", quality=95),
    "JPEG 75": _file("JPEG", quality=75),
    "JPEG 50": _file("JPEG", quality=50),
    "resize": _half_and_back,
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}
"""By name: files without loss (PNG) and with (JPEG at three qualities), half the size and back, a blur of one pixel."""


def distort(images: np.ndarray, name: str) -> np.ndarray:
    """Send images through one of `DISTORTIONS`.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        name: a key of `DISTORTIONS`.

    Raises:
        UnknownNameError: for another name.
        TypeError: for images of another type: what a file stores is 8 bits.
    """
    if name not in DISTORTIONS:
        raise UnknownNameError("distortion", name, DISTORTIONS)
    if images.dtype != np.uint8:
        raise TypeError(f"expected uint8 images, got {images.dtype}; round them to 8 bits first")
    return np.stack([np.asarray(DISTORTIONS[name](Image.fromarray(image))) for image in images])


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Likeness of two pictures as the eye judges it, 1 for equal ones.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment" (IEEE TIP 13, 2004), mean over windows and colours.

    Args:
        first: shape `(n, h, w, 3)`, uint8, at least 7 pixels a side.
        second: the same shape and type.

    Returns:
        Shape `(n,)`, -1 to 1.
    """
    from skimage.metrics import structural_similarity as similarity

    if first.shape != second.shape or first.dtype != second.dtype:
        raise ValueError(
            f"expected two equal shapes and types, got {first.shape} {first.dtype} and {second.shape} {second.dtype}"
        )
    return np.array(
        [similarity(a, b, channel_axis=-1, data_range=255) for a, b in zip(first, second, strict=True)], float
    )
