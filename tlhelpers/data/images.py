"""From the bytes of a photo to `(size, size, 3)` uint8, the same for both frameworks."""

import io
import os
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tlhelpers.data.archives import MAX_FILE_BYTES, read_file
from tlhelpers.data.image_damage import ImageError, check_chunks, check_end, cut_filling, decode_jpeg, jpeg_segments
from tlhelpers.errors import DatasetError, said

MAX_SCANS = 300  # of a progressive JPEG, where a camera writes ten; each is a pass over the whole picture
MAX_PIXELS = 80_000_000  # twice a large camera's photo; a bomb of a few bytes can claim billions
# Named, so that nothing exotic is tried on a file that merely says so: Pillow hands PostScript to another program.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")  # an MPO is opened as the JPEG that it begins with
_ORIENTATION, _PHOTOMETRIC, _BITS, _PLANES, _NUMBERS = 0x0112, 0x0106, 0x0102, 284, 339  # tags of EXIF and TIFF
# What undoes an orientation of EXIF, by its number.
_UPRIGHT = dict(zip(range(2, 9), map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), strict=True))
# How files begin, those that are read here first.
_SIGNATURES = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG", "PNG"),
    (rb"GIF8", "GIF"),
    (rb"BM", "BMP"),
    (rb"II\*\0|MM\0\*", "TIFF"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"....ftyp(avi[fs]|.{8,56}avif)", "AVIF"),
    (rb"....ftyp(hei|hev|mif1|msf1)", "HEIC"),
    (rb"....ftyp", "MP4"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (rb"\0\0\0\x0cjP", "JPEG 2000"),
    (rb"%PDF", "PDF"),
    (rb"8BPS", "PSD"),
    (rb"PK\x03\x04", "ZIP"),
    (rb"\s*<", "HTML"),
)


def open_image(data: bytes) -> Image.Image:
    """Reads the head of an image file, whatever its name says it is, and decodes nothing yet.

    Raises:
        ImageError: it is empty, not an image, cut off, or has more than `MAX_PIXELS` pixels.
    """
    if not data:
        raise ImageError("empty", said("an empty file", "un archivo vacío"))
    kind = next((name for begins, name in _SIGNATURES if re.match(begins, data[:80], re.DOTALL)), "")
    if kind == "HEIC" and "HEIF" not in _formats():
        detail = "a photo of an iPhone; to read it, install pi-heif", "una foto de iPhone; para leerla, instale pi-heif"
        raise ImageError("HEIC", said(*detail))
    # Before Pillow, which goes byte by byte, and chunk by chunk, through what is not there.
    if kind == "GIF":
        data = cut_filling(data)
    if kind == "PNG":
        check_chunks(data)
    if kind == "JPEG":
        scan = jpeg_segments(data)[-1][1]
        end = data.find(b"\xff\xd9", scan)  # behind it there may be a video
        if (scans := data.count(b"\xff\xda", scan, end if end > 0 else None)) > MAX_SCANS:
            detail = said("scans; at most so many are decoded", "pasadas; como mucho se decodifican")
            raise ImageError("too large", f"{scans:,} {detail}: {MAX_SCANS}")
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # the latter by a strict filter
        detail = said("more pixels than are decoded", "más píxeles de los que se decodifican")
        raise ImageError("too large", f"{detail}: {MAX_PIXELS:,}") from error
    except Exception as error:
        if kind in (*_FORMATS, "AVIF", "HEIC"):
            detail = said(
                "begins like a {}, and is damaged or of a kind that is not read",
                "empieza como un {}, y está dañado o es de un tipo que no se lee",
            )
            raise ImageError("unreadable", detail.format(kind)) from error
        detail = said("not an image of any kind that is read", "no es una imagen de ningún tipo que se lea")
        if kind:
            detail = said(
                "not an image that is read, but a file of the kind {}",
                "no es una imagen que se lea, sino un archivo {}",
            ).format(kind)
        raise ImageError("not an image", detail) from error
    if image.width * image.height > MAX_PIXELS:
        detail = said("pixels; at most so many are decoded", "píxeles; como mucho se decodifican")
        raise ImageError("too large", f"{image.width} × {image.height} {detail}: {MAX_PIXELS:,}")
    return image


def decode(data: bytes) -> Image.Image:
    """An image file as an upright RGB image: EXIF orientation applied, transparency on white, the first frame.

    Raises:
        ImageError: as `open_image`; or the file is cut off or damaged.
    """
    return decode_opened(open_image(data), data)


def decode_opened(image: Image.Image, data: bytes) -> Image.Image:
    """As `decode`, for a file whose head `open_image` has read."""
    try:
        decoded = decode_jpeg(image, data) if image.format in ("JPEG", "MPO") else None
        if decoded is None:
            _mend_numbers(image, data)
            image.load()  # the first frame, where there are several
            decoded = _to_rgb(image)
            if image.format in ("WEBP", "AVIF", "HEIF", "BMP", "TIFF"):
                check_end(decoded, image.format, data, _read_first)
        turn = _UPRIGHT.get(_orientation(image))
        return decoded if turn is None else decoded.transpose(turn)
    except ImageError:
        raise
    except Exception as error:  # decoders raise whatever they meet in a damaged file
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        detail = said("cut off", "está cortada") if cut else said("damaged", "está dañada")
        raise ImageError(
            "truncated" if cut else "unreadable", f"{detail}: {str(error) or type(error).__name__}"
        ) from error


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
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    side = min(image.size) * size / round(size / 0.875)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


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
    name = said("The photo", "La foto") if isinstance(photo, bytes) else str(photo)
    try:
        data = photo if isinstance(photo, bytes) else read_file(Path(os.path.expanduser(photo)))
        if data is None:
            raise ImageError("too large", f"{said('more than', 'más de')} {MAX_FILE_BYTES:,} bytes")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            return prepare(decode(data), size)
    except (OSError, ValueError) as error:  # the latter where a path holds a zero
        why = getattr(error, "strerror", "") or error
        raise DatasetError(
            said(
                f"{name} cannot be opened ({why}). Check its path.",
                f"{name} no se puede abrir ({why}). Compruebe la ruta.",
            )
        ) from error
    except ImageError as error:
        if error.reason == "HEIC":
            why = said(
                "it is a HEIC, the format of iPhones. Save it as JPEG (on the phone: Settings, Camera, Formats, Most "
                "Compatible), or run `pip install pi-heif` and restart",
                "es un HEIC, el formato de los iPhone. Guárdela como JPEG (en el teléfono: Ajustes, Cámara, Formatos, "
                "El más compatible) o ejecute `pip install pi-heif` y reinicie",
            )
        else:
            take = said("Take a photo in one of these formats", "Elija una foto en uno de estos formatos")
            why = f"{error}. {take}: {', '.join(_formats())}"
        raise DatasetError(said(f"{name} cannot be used: {why}.", f"{name} no se puede usar: {why}.")) from error


def _mend_numbers(image: Image.Image, data: bytes) -> None:
    """Sees to a PNG's few bits and a TIFF's order of bytes.

    Raises:
        ImageError: Pillow would give other numbers than the file's.
    """
    clear = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and data[24] < 8 and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // (2 ** data[24] - 1)  # Pillow spreads the levels, not this one
    if data.startswith(b"MM") and image.mode in ("I", "F") and image.info.get("compression", "raw") != "raw":
        detail = said(
            "compressed 16 or 32 bits, the largest byte first", "16 o 32 bits comprimidos, byte mayor primero"
        )
        raise ImageError("unreadable", detail)
    tags = getattr(image, "tag_v2", {})
    deep = max(tags.get(_BITS, (8,))) > 8
    if (deep and tags.get(_PLANES) == 2) or (
        image.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_NUMBERS, (1,))[0] == 1
    ):
        detail = said("16 bits in planes, or 32 without a sign", "16 bits por planos, o 32 sin signo")
        raise ImageError("unreadable", detail)


def _read_first(data: bytes) -> Image.Image:
    return _to_rgb(Image.open(io.BytesIO(data), formats=_formats()))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_deep(image).convert("RGB")
    clear = image.info.get("transparency")
    if clear is not None or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image)
        return paper
    return image.convert("RGB")


def _scale_deep(image: Image.Image) -> Image.Image:
    """More than 8 bits a pixel: `convert` would clip at 255, and most of such a picture would be white.

    In bands, since numbers to calculate with take eight times the room of grey levels.
    """
    tags = getattr(image, "tag_v2", {})
    rows = max((1 << 20) // image.width, 1)
    bands = [(0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)]
    low, high = 0.0, 2.0 ** min(tags.get(_BITS, (16,))[0], 16) - 1
    if not image.mode.startswith("I;"):
        finite = [values[np.isfinite(values)] for values in (np.asarray(image.crop(band)) for band in bands)]
        least, most = (float(f([f(v) for v in finite if v.size] or [0])) for f in (np.min, np.max))
        if image.mode == "F" or least < low or most > high:  # no agreed range: from the darkest to the brightest
            low, high = least, most
    grey = Image.new("L", image.size)
    for band in bands:
        values = np.asarray(image.crop(band))
        scaled = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        levels = np.rint((scaled - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
        if tags.get(_PHOTOMETRIC) == 0:  # the largest number is black
            levels = 255 - levels
        levels[values == image.info.get("transparency")] = 255
        grey.paste(Image.fromarray(levels), band)
    return grey


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data do not make a damaged photo
        return 1


@cache
def _formats() -> tuple[str, ...]:
    from PIL import features

    formats = [*_FORMATS, *(["AVIF"] if features.check("avif") else [])]
    try:
        import pi_heif
    except ImportError:  # an extra of its own: only those who have an iPhone need it
        return tuple(formats)
    pi_heif.register_heif_opener()
    return (*formats, "HEIF")
