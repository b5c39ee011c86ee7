"""From the bytes of a photo to `(size, size, 3)` uint8, the same for both frameworks.

Plain JPEGs take a fast path (simplejpeg), and so does resizing where cykooz.resizer is installed; Pillow does the rest.
The fast path gives the same pixels when decoding, and differs by at most one grey level after resizing.
"""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tlhelpers.errors import DatasetError

MAX_PIXELS = 80_000_000  # twice a large camera's photo; a bomb of a few bytes can claim billions
# Named, so that nothing exotic is tried on a file that merely says so: Pillow hands PostScript to another program.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "MPO")
_ORIENTATION = 0x0112  # EXIF tag


class ImageError(Exception):
    """An image that cannot be used. `reason` is one of those that the audit lists, the message has the details."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def open_image(data: bytes) -> Image.Image:
    """Reads the head of an image file, whatever its name says it is, and decodes nothing yet.

    Raises:
        ImageError: it is empty, not an image, cut off, or has more than `MAX_PIXELS` pixels.
    """
    if not data:
        raise ImageError("empty", "no bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # the latter by a strict filter
        raise ImageError("too large", str(error)) from error
    except Exception as error:
        known = _looks_like_image(data)
        reason = "unreadable" if known else "not an image"
        raise ImageError(reason, f"{'begins like an image, but ' if known else ''}{error or type(error)}") from error
    if image.width * image.height > MAX_PIXELS:
        detail = f"{image.width} × {image.height} pixels, and at most {MAX_PIXELS:,} are decoded"
        raise ImageError("too large", detail)
    return image


def decode(data: bytes) -> Image.Image:
    """An image file as an upright RGB image: EXIF orientation applied, transparency on white, the first frame.

    Raises:
        ImageError: as `open_image`; or the file is cut off or damaged.
    """
    return decode_opened(open_image(data), data)


def decode_opened(image: Image.Image, data: bytes) -> Image.Image:
    """As `decode`, for a file whose head `open_image` has read."""
    pixels = _decode_plain_jpeg(image, data)
    if pixels is not None:
        return Image.fromarray(pixels)
    return _decode_with_pillow(image)


def prepare(image: Image.Image | np.ndarray, size: int) -> np.ndarray:
    """The middle of an image as networks see it: as `Resize(size / 0.875)` and `CenterCrop(size)`, in one step.

    The shorter side is scaled to `round(size / 0.875)` pixels, bilinear and antialiased, and the centre cut out; what
    would be cut off is never computed.

    Args:
        image: RGB, or its pixels of shape `(h, w, 3)` uint8.
        size: Side of the result in pixels.

    Returns:
        Shape `(size, size, 3)` uint8.
    """
    height, width = image.shape[:2] if isinstance(image, np.ndarray) else (image.height, image.width)
    side = min(width, height) * size / round(size / 0.875)
    left, top = (width - side) / 2, (height - side) / 2
    if _fast_resizer() is not None:
        return _fast_resizer()(np.asarray(image), (left, top, side, side), size)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def prepare_opened(image: Image.Image, data: bytes, size: int) -> np.ndarray:
    """`decode_opened` and `prepare` in one, without a copy in between where there need not be one."""
    pixels = _decode_plain_jpeg(image, data)
    return prepare(_decode_with_pillow(image) if pixels is None else pixels, size)


def prepare_photo(photo: Path | str | bytes, size: int) -> np.ndarray:
    """A photo of one's own, as the networks of this course take it.

    Args:
        photo: A file's path, or its content.
        size: Side of the result in pixels.

    Returns:
        Shape `(size, size, 3)` uint8.

    Raises:
        DatasetError: there is no such file, or it is no image that can be used.
    """
    name = "The photo" if isinstance(photo, bytes) else str(photo)
    try:
        data = bytes(photo) if isinstance(photo, bytes) else Path(photo).expanduser().read_bytes()
        return prepare(decode(data), size)
    except OSError as error:
        raise DatasetError(f"{name} cannot be opened ({error.strerror}). Check its path.") from error
    except ImageError as error:
        raise DatasetError(
            f"{name} cannot be used: {error.reason} ({error}). Take a photo in one of these formats: "
            f"{', '.join(_formats())}."
        ) from error


def _decode_plain_jpeg(image: Image.Image, data: bytes) -> np.ndarray | None:
    """The pixels of an upright RGB or grey JPEG; None for all others, and for those that Pillow should judge."""
    simplejpeg = _simplejpeg()
    if simplejpeg is None or image.format != "JPEG" or image.mode not in ("RGB", "L") or _orientation(image) != 1:
        return None
    try:
        return simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:  # strict: also what can be mended
        return None


def _decode_with_pillow(image: Image.Image) -> Image.Image:
    try:
        image.load()  # the first frame, where there are several
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # decoders raise whatever they meet in a damaged file
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise ImageError("truncated" if cut else "unreadable", str(error) or type(error).__name__) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_deep(image).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")


def _scale_deep(image: Image.Image) -> Image.Image:
    """More than 8 bits a pixel: `convert` would clip at 255, and most of such a picture would be white."""
    values = np.asarray(image).astype(np.float64)
    if image.mode != "F" and values.min() >= 0 and values.max() <= 65535:
        low, high = 0.0, 65535.0
    else:  # no agreed range: from the darkest to the brightest
        values = np.nan_to_num(values)
        low, high = values.min(), values.max()
    return Image.fromarray(np.rint((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    if "exif" not in image.info and "xmp" not in image.info:
        return 1
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data do not make a damaged photo
        return 1


def _looks_like_image(data: bytes) -> bool:
    signatures = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    return data.startswith(signatures) or data[8:12] == b"WEBP"


@cache
def _formats() -> tuple[str, ...]:
    from PIL import features

    return (*_FORMATS, "AVIF") if features.check("avif") else _FORMATS


@cache
def _simplejpeg():
    try:
        import simplejpeg
    except ImportError:  # no wheel for this machine: Pillow takes somewhat longer
        return None
    return simplejpeg


@cache
def _fast_resizer():
    """A function `(pixels, (left, top, width, height), size) -> pixels`; None where there is no wheel for it."""
    try:
        from cykooz_resizer import CropBox, FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
    except ImportError:
        return None
    bilinear = ResizeAlg.convolution(FilterType.bilinear)

    def resize(pixels: np.ndarray, box: tuple[float, float, float, float], size: int) -> np.ndarray:
        left, top, side, _ = box
        # Only what is cut out, and as far around it as the filter reaches, has to be copied.
        reach = max(side / size, 1.0) + 1
        x, y = max(int(left - reach), 0), max(int(top - reach), 0)
        pixels = pixels[y : int(top + side + reach) + 1, x : int(left + side + reach) + 1]
        source = ImageData(pixels.shape[1], pixels.shape[0], PixelType.U8x3, pixels.tobytes())
        result = ImageData(size, size, PixelType.U8x3)
        options = ResizeOptions(resize_alg=bilinear, crop_box=CropBox(left - x, top - y, side, side))
        Resizer().resize(source, result, options)
        return np.frombuffer(result.get_buffer(), np.uint8).reshape(size, size, 3)

    return resize
