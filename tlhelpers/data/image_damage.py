"""Where a part of an image file is lost or damaged, which decoders show grey, or in one colour, and say nothing.

simplejpeg tells of JPEGs where a part is missing. A PNG has checksums. In other formats the bytes that a disk has
filled up are looked for.
"""

import contextlib
import re
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tlhelpers.errors import said

MAX_CHUNKS = 200_000  # of a PNG; the largest file that is read, in pieces of 2 KB, has 130,000
# What the JPEG decoder says of pictures that are whole: bytes behind them, and sampling factors that Pillow knows.
_HARMLESS = re.compile("extraneous bytes before marker 0xd9|Could not determine subsampling")


class ImageError(Exception):
    """An image that cannot be used. `reason` is one of those that the audit lists, the message has the details."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def decode_jpeg(image: Image.Image, data: bytes) -> Image.Image | None:
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
    segments = jpeg_segments(scans)
    end = scans.find(b"\xff\xd9", segments[-1][1])
    filled = end - len(scans[:end].rstrip(scans[end - 1 : end]))
    restarts = any(marker == 0xDD for marker, *_ in segments)
    return filled > (0 if progressive or restarts else int(left_over[1])) + 64  # as many may have been read ahead


def jpeg_segments(data: bytes) -> list[tuple[int, int, int]]:
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
    *head, (_, scan, start) = jpeg_segments(data)
    tables = (data[at:end] for marker, at, end in head if not 0xE0 <= marker <= 0xEF and marker != 0xFE)
    sequential = any(marker in (0xC0, 0xC1) for marker, *_ in head)
    of_scan = data[scan : start - 3] + b"\0\x3f\0" if sequential else data[scan:start]
    return b"\xff\xd8" + b"".join(tables) + of_scan + data[start:]


def check_chunks(data: bytes) -> None:
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


def check_end(image: Image.Image, kind: str, data: bytes, read: Callable[[bytes], Image.Image]) -> None:
    """Finds what a disk has filled up, with zeros or another byte, and what these formats decode all the same.

    Args:
        image: RGB, as decoded.
        kind: Its format, by Pillow's name.
        data: The file.
        read: Decodes a file of that format to RGB.

    Raises:
        ImageError: with another byte there the picture is another, and what it shows there is no border of one colour.
    """
    rest = cut_filling(data)
    filled = len(data) - len(rest)
    if filled < 64:
        return

    def shown(byte: int) -> bytes:
        return read(rest + bytes([byte]) * filled).tobytes()

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


def cut_filling(data: bytes) -> bytes:
    """A file without the equal bytes at its end."""
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
