"""From the bytes of a photo to `(size, size, 3)` uint8, the same for both frameworks.

simplejpeg decodes JPEGs: to the same pixels as Pillow, and it tells where a part is missing, which Pillow shows grey.
"""

import contextlib
import io
import os
import re
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tlhelpers.data.archives import MAX_FILE_BYTES, read_file
from tlhelpers.errors import DatasetError, said

MAX_SCANS = 300  # of a progressive JPEG, where a camera writes ten; each is a pass over the whole picture
MAX_CHUNKS = 200_000  # of a PNG; the largest file that is read, in pieces of 2 KB, has 130,000
MAX_PIXELS = 80_000_000  # twice a large camera's photo; a bomb of a few bytes can claim billions
# Named, so that nothing exotic is tried on a file that merely says so: Pillow hands PostScript to another program.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")  # an MPO is opened as the JPEG that it begins with
_ORIENTATION, _PHOTOMETRIC, _BITS, _PLANES, _NUMBERS = 0x0112, 0x0106, 0x0102, 284, 339  # tags of EXIF and TIFF
# What the JPEG decoder says of pictures that are whole: bytes behind them, and sampling factors that Pillow knows.
_HARMLESS = re.compile("extraneous bytes before marker 0xd9|Could not determine subsampling")
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
        raise ImageError("empty", said("an empty file", "un archivo vacío"))
    kind = next((name for begins, name in _SIGNATURES if re.match(begins, data[:80], re.DOTALL)), "")
    if kind == "HEIC" and "HEIF" not in _formats():
        detail = "a photo of an iPhone; to read it, install pi-heif", "una foto de iPhone; para leerla, instale pi-heif"
        raise ImageError("HEIC", said(*detail))
    # Before Pillow, which goes byte by byte, and chunk by chunk, through what is not there.
    if kind == "GIF":
        data = _cut_filling(data)
    if kind == "PNG":
        _check_chunks(data)
    if kind == "JPEG":
        scan = _jpeg_segments(data)[-1][1]
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
        decoded = _decode_jpeg(image, data) if image.format in ("JPEG", "MPO") else None
        if decoded is None:
            _mend_numbers(image, data)
            image.load()  # the first frame, where there are several
            decoded = _to_rgb(image)
            if image.format in ("WEBP", "AVIF", "HEIF", "BMP", "TIFF"):
                _check_end(decoded, image.format, data)
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


def _decode_jpeg(image: Image.Image, data: bytes) -> Image.Image | None:
    """An RGB or grey JPEG, as stored; None for those whose pixels Pillow should make.

    Raises:
        ImageError: part of the picture is missing. Pillow would show it grey, and say nothing.
    """
    import simplejpeg

    colours, complaint = "RGB" if image.mode in ("RGB", "L") else "CMYK", ""
    try:
        pixels, scans = simplejpeg.decode_jpeg(data, colorspace=colours), data
    except ValueError:  # strict: also where something beside the picture is odd
        pixels, scans = None, _without_metadata(data)
        try:
            simplejpeg.decode_jpeg(scans, colorspace=colours)
        except ValueError as error:
            complaint = str(error)
    if "premature end" in complaint.lower() or _is_filled_up(scans, complaint, "progressive" in image.info):
        raise ImageError("truncated", said("cut off: a part is missing", "está cortada: falta una parte"))
    if complaint and not _HARMLESS.search(complaint):
        raise ImageError("unreadable", f"{said('damaged', 'está dañada')}: {complaint}")
    return Image.fromarray(pixels) if colours == "RGB" and pixels is not None else None


def _is_filled_up(scans: bytes, complaint: str, progressive: bool) -> bool:
    """Whether a picture ends in zeros, or in another byte, as where a disk has lost its last blocks.

    Zeros, too, stand for pixels, so the decoder complains only of those that are left over. Bytes that all came after
    the picture harm nothing; but of a progressive one whole passes may be lost without a complaint, and of one with
    restart markers all that lay behind the next one.
    """
    left_over = re.search(r"([0-9]+) extraneous bytes before marker 0xd9", complaint)
    if not (left_over or progressive):
        return False
    segments = _jpeg_segments(scans)
    end = scans.find(b"\xff\xd9", segments[-1][1])
    filled = end - len(scans[:end].rstrip(scans[end - 1 : end]))
    restarts = any(marker == 0xDD for marker, *_ in segments)
    return filled > (0 if progressive or restarts else int(left_over[1])) + 64  # as many may have been read ahead


def _jpeg_segments(data: bytes) -> list[tuple[int, int, int]]:
    """Of each segment of a JPEG's head: its marker, where it starts, and where it ends. The last is the first scan.

    Raises:
        ImageError: the head is damaged, or so long that no camera has written it.
    """
    segments, at = [], 2
    while len(segments) < 10_000:
        found = re.compile(rb"\xff([^\xff\0])").search(data, at, at + (1 << 20))
        if found is None:
            break
        marker, start = found.start(1), found.start()
        at = marker + 1 + int.from_bytes(data[marker + 1 : marker + 3], "big")
        segments.append((data[marker], start, at))
        if data[marker] == 0xDA:
            return segments
    raise ImageError("unreadable", said("begins like a JPEG, and has no picture", "empieza como un JPEG sin imagen"))


def _without_metadata(data: bytes) -> bytes:
    """A JPEG's tables and scans alone: only what is wrong in them is wrong in the picture.

    In a sequential one the last numbers of a scan's head say nothing. Samsung's phones write others than they should.
    """
    *head, (_, scan, start) = _jpeg_segments(data)
    tables = (data[at:end] for marker, at, end in head if not 0xE0 <= marker <= 0xEF and marker != 0xFE)
    sequential = any(marker in (0xC0, 0xC1) for marker, *_ in head)
    of_scan = data[scan : start - 3] + b"\0\x3f\0" if sequential else data[scan:start]
    return b"\xff\xd8" + b"".join(tables) + of_scan + data[start:]


def _check_chunks(data: bytes) -> None:
    """Looks at a PNG's checksums, which Pillow passes over in silence.

    Raises:
        ImageError: the picture is cut off or damaged, or in so many pieces that no program has written it.
    """
    at = 8
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IEND":
            return
        at += 12 + length
        if at > len(data):
            raise ImageError("truncated", said("it has no end", "no tiene final"))
        checksum = zlib.crc32(data[at - length - 8 : at - 4]).to_bytes(4, "big")
        if kind[:1].isupper() and checksum != data[at - 4 : at]:
            detail = "a part of the picture does not have its checksum", "una parte no tiene su suma de comprobación"
            raise ImageError("unreadable", said(*detail))
    raise ImageError("too large", said("more than {:,} parts", "más de {:,} partes").format(MAX_CHUNKS))


def _check_end(image: Image.Image, kind: str, data: bytes) -> None:
    """Finds what a disk has filled up, with zeros or another byte, and what these formats decode all the same.

    Raises:
        ImageError: with another byte there the picture is another, and what it shows there is no border of one colour.
    """
    rest = _cut_filling(data)
    filled = len(data) - len(rest)
    if filled < 64:
        return

    def shown(byte: int) -> bytes:
        return _to_rgb(Image.open(io.BytesIO(rest + bytes([byte]) * filled), formats=_formats())).tobytes()

    with contextlib.suppress(Exception):
        if {shown(data[-1] ^ 0x55), shown((data[-1] + 1) % 256)} == {image.tobytes()}:  # it was no part of the picture
            return
    from_below = kind == "BMP" and not (data[14] >= 40 and data[25] >= 128)  # where its height is not below zero
    flat, abrupt = _count_flat(image, range(image.height)[:: 1 if from_below else -1])
    # Without loss a WebP's pixel of one colour takes a bit. In the others no flat area is written as one byte.
    if {"BMP": abrupt, "TIFF": abrupt, "WEBP": flat < filled or b"VP8L" not in rest}.get(kind, True):
        detail = (
            "the end of the file was lost, and filled up with one byte",
            "el final se perdió y se rellenó con un byte",
        )
        raise ImageError("truncated", said(*detail))


def _cut_filling(data: bytes) -> bytes:
    return data[: len(data.rstrip(data[-1:])) + 16]  # a few of the equal bytes may be its own


def _count_flat(image: Image.Image, rows: range) -> tuple[int, bool]:
    """How many pixels up to the last have its colour; and whether that begins within a row, and is no border.

    Args:
        image: RGB.
        rows: In the order in which to look at them, the last first.
    """
    last, flat, same = np.array(image.getpixel((image.width - 1, rows[0]))), 0, np.ones(0, bool)
    for y in rows:
        pixels = np.asarray(image.crop((0, y, image.width, y + 1)))[0, ::-1]
        same = np.append(same, (pixels == last).all(axis=1))
        end = len(same) if same.all() else int(np.argmin(same))
        flat, same = flat + end, same[end:]
        if len(same) >= image.width:
            break
    within = flat % image.width
    if flat < image.width or within < 0.05 * image.width:
        return flat, False
    # To its left in the row and above it there is next to nothing of that colour, as there is beside a border.
    left, above = np.split(same, [image.width - within])
    return flat, left.mean() < 0.1 and (above[:within].mean() < 0.1 if len(above) else True)


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
