"""Nearly 3,000 awkward image files, decoded by `tlhelpers` and by a second decoder: none wrong, none that hangs.

The files vary systematically: formats, kinds of pixels, bit depths, orientations, transparency, compressions, metadata,
what follows the picture, and where and how a file was cut. What should come out is known where the pixels were written
without loss; else another decoder says it. A file that was cut has to be left out, or to give the whole picture.

Run `python benchmarks/awkward_images.py`. Second decoders are, where installed, libvips (`pip install pyvips
pyvips-binary`), OpenCV (`opencv-python-headless`) and tifffile, which comes with scikit-image. HEIC needs `pi-heif` and
`pillow-heif` to write it. TLHELPERS_DATA adds real photos. Exits with 1 if a file is wrong, crashes or hangs.

Without a checksum some losses cannot be seen: where the last few hundred bytes of a TIFF, BMP or AVIF are those of
another file, and where a BMP with a white border is filled up with white: 8 files remain wrong. `tlhelpers` puts
another byte in place of those that fill up the end, and looks whether the picture changes. Of 172 cut files that were
decoded before it finds 167; of 57,000 whole ones it leaves out one, a photo made so dark that its lower part is black.
A rule on pixels alone, a tenth of the rows of one colour, found 63, and left out 10 of 6,400 photos.
"""

import argparse
import collections
import importlib
import io
import itertools
import multiprocessing
import os
import struct
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from tlhelpers.data.images import ImageError, decode

SECONDS = 20.0  # that a file may take, after which it hangs
TURNS = (None, None, 0, 3, 1, 5, 2, 6, 4)  # how a camera held so stores a picture, by orientation
ORIENTATION = 0x0112


@dataclass
class Case:
    """A file, and what should become of it.

    Attributes:
        name: Says how it was made.
        data: Its bytes.
        right: The picture, `(h, w, 3)` uint8; None where the second decoder should say it.
        by: Grey levels that each value may differ by on average (coding with loss).
        may_be_left_out: Whether it may also be left out, as what was cut.
        must_be_left_out: Whether there is no picture in it.
    """

    name: str
    data: bytes
    right: np.ndarray | None = None
    by: float = 0.6
    may_be_left_out: bool = False
    must_be_left_out: bool = False


def saved(image: Image.Image, format: str, **options) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, format, **options)
        return buffer.getvalue()


def turned(image: Image.Image, orientation: int) -> Image.Image:
    return image if TURNS[orientation] is None else image.transpose(Image.Transpose(TURNS[orientation]))


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_rows(samples: np.ndarray, depth: int) -> bytes:
    """Packs samples of shape `(h, w, channels)` into rows, each with the filter "none"."""
    rows = []
    for row in samples:
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        elif depth == 8:
            packed = row.astype(np.uint8).tobytes()
        else:
            bits = (row.ravel()[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            packed = np.packbits(bits.ravel().astype(np.uint8)).tobytes()
        rows.append(b"\0" + packed)
    return b"".join(rows)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(samples: np.ndarray, kind: int, depth: int, before: bytes = b"", after: bytes = b"", interlaced=False) -> bytes:
    """A PNG of its own making: Pillow writes only some of the kinds."""
    height, width = samples.shape[:2]
    if interlaced:
        passes = (samples[y::down, x::across] for x, y, across, down in ADAM7)
        rows = b"".join(png_rows(part, depth) for part in passes if part.size)
    else:
        rows = png_rows(samples, depth)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    parts = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows)) + after + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def png_cases(photo: Image.Image) -> Iterator[Case]:
    rgb = np.asarray(photo)
    grey = np.asarray(photo.convert("L"))
    alpha = np.tile(np.linspace(0, 255, rgb.shape[1]).astype(np.uint8), (rgb.shape[0], 1))
    fine = np.random.default_rng(0).integers(0, 257, rgb.shape)  # the lower byte of 16 bits

    def on_white(colour, opacity):
        return np.rint(colour * (opacity / 255.0) + 255 * (1 - opacity / 255.0)).astype(np.uint8)

    makes = []
    for depth in (1, 2, 4, 8, 16):
        levels = np.rint(grey / 255 * (2**depth - 1)).astype(np.int64)
        shown = np.rint(levels * 255 / (2**depth - 1)).astype(np.uint8)
        for clear in (None, int(levels[40, 40])):
            seen = np.where(levels == clear, 255, shown) if clear is not None else shown
            extra = b"" if clear is None else chunk(b"tRNS", struct.pack(">H", clear))
            makes.append((f"grey {depth}, clear {clear}", levels[:, :, None], 0, depth, extra, np.dstack([seen] * 3)))
    for depth in (8, 16):
        values = rgb.astype(np.int64) * (257 if depth == 16 else 1)
        for clear in (None, tuple(map(int, values[30, 30]))):
            seen = rgb.copy()
            if clear is not None:
                seen[(values == clear).all(axis=2)] = 255
            extra = b"" if clear is None else chunk(b"tRNS", struct.pack(">HHH", *clear))
            makes.append((f"RGB {depth}, clear {clear is not None}", values, 2, depth, extra, seen))
        scale = 257 if depth == 16 else 1
        together = np.dstack([grey, alpha]).astype(np.int64) * scale
        seen = np.dstack([on_white(grey.astype(float), alpha)] * 3)
        makes.append((f"grey and alpha {depth}", together, 4, depth, b"", seen))
        together = np.dstack([rgb, alpha]).astype(np.int64) * scale
        makes.append((f"RGBA {depth}", together, 6, depth, b"", on_white(rgb.astype(float), alpha[:, :, None])))
    makes.append(("RGB 16, fine", np.minimum(rgb.astype(np.int64) * 256 + fine, 65535), 2, 16, b"", rgb))
    for depth in (1, 2, 4, 8):
        few = photo.quantize(2**depth)
        places = np.asarray(few)
        colours = np.array(few.getpalette()[: 3 * 2**depth], np.uint8).reshape(-1, 3)
        for clear in (False, True):
            opacity = np.full(len(colours), 255)
            extra = chunk(b"PLTE", colours.tobytes())
            if clear:
                opacity[0] = 0
                opacity[1:2] = 128
                extra += chunk(b"tRNS", opacity[:2].astype(np.uint8).tobytes())
            seen = on_white(colours[places].astype(float), opacity[places][:, :, None])
            makes.append((f"palette {depth}, clear {clear}", places[:, :, None], 3, depth, extra, seen))
    for (name, samples, kind, depth, extra, seen), interlaced in itertools.product(makes, (False, True)):
        for orientation, late in ((1, False), (3, False), (6, False), (8, True)):
            note = chunk(b"eXIf", exif_of(orientation)[6:]) if orientation > 1 else b""
            before, after = (extra, note) if late else (note + extra, b"")
            shown = np.asarray(ImageOps.exif_transpose(_tagged(Image.fromarray(seen), orientation)))
            data = png(samples, kind, depth, before, after, interlaced)
            yield Case(f"PNG {name}, interlaced {interlaced}, orientation {orientation}", data, shown)
    whole = saved(photo, "PNG")
    odd = {
        "gamma": chunk(b"gAMA", struct.pack(">I", 45455)),
        "damaged profile": chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile")),
        "long text": chunk(b"tEXt", b"Comment\0" + b"x" * 900_000),
        "unknown chunk": chunk(b"quIz", b"abc"),
        "sRGB": chunk(b"sRGB", b"\0"),
        "damaged EXIF": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        "physical size": chunk(b"pHYs", struct.pack(">IIB", 1, 5000, 1)),
    }
    for name, extra in odd.items():
        yield Case(f"PNG with {name}", whole[:33] + extra + whole[33:], rgb)
    for name, extra in tails().items():
        yield Case(f"PNG followed by {name}", whole + extra, rgb)
    for name, data in {"RGB": whole, "interlaced": png(rgb, 2, 8, interlaced=True)}.items():
        yield from cuts(f"PNG {name}", data, rgb, chunk(b"IEND", b""))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    yield Case("PNG with one bit flipped", bytes(flipped), rgb, may_be_left_out=True)


def _tagged(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[ORIENTATION] = orientation
    return image


def tails() -> dict[str, bytes]:
    """What programs leave behind the end of a picture."""
    return {
        "zeros": bytes(5000),
        "a line feed": b"\r\n",
        "text": b"<html>not found</html>" * 20,
        "a film": b"\0\0\0\x18ftypmp42" + os.urandom(3000),
        "a zip": b"PK\3\4" + os.urandom(300),
        "0xFF": b"\xff" * 4000,
        "an end of JPEG": b"\xff\xd9" * 3,
    }


def cuts(name: str, whole: bytes, right: np.ndarray, end: bytes, by: float = 0.6) -> Iterator[Case]:
    """The file cut at several places, and what may stand where the rest was."""
    for part in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        head = whole[: int(len(whole) * part)]
        lost = len(whole) - len(head)
        ends = {
            "nothing": b"",
            "its end": end,
            "zeros": bytes(lost),
            "zeros and its end": bytes(max(lost - len(end), 0)) + end,
            "0xFF": b"\xff" * lost,
            "a web page": b"<html>Service unavailable</html>" * 30,
        }
        for what, rest in ends.items():
            yield Case(f"{name} cut at {part:.0%}, then {what}", head + rest, right, by, may_be_left_out=True)


def jpeg_segments(data: bytes, marker: int, content: bytes) -> bytes:
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[2:]


def jpeg_cases(photo: Image.Image) -> Iterator[Case]:
    ways = itertools.product((0, 1, 2), (False, True), (0, 2), range(1, 9))
    for subsampling, progressive, restarts, orientation in ways:
        options = {"quality": 95, "subsampling": subsampling, "progressive": progressive, "exif": exif_of(orientation)}
        data = saved(turned(photo, orientation), "JPEG", restart_marker_rows=restarts, **options)
        name = f"JPEG 4:{(4, 2, 1)[subsampling]}, progressive {progressive}, restarts {restarts}"
        yield Case(f"{name}, orientation {orientation}", data, np.asarray(photo), by=6)
    for mode, orientation in itertools.product(("L", "CMYK"), range(1, 9)):
        stored = turned(photo.convert(mode), orientation)
        right = np.asarray(photo.convert(mode).convert("RGB"))
        options = {"quality": 95, "exif": exif_of(orientation)}
        yield Case(f"JPEG {mode}, orientation {orientation}", saved(stored, "JPEG", **options), right, by=6)
        yield Case(
            f"JPEG {mode} progressive, orientation {orientation}",
            saved(stored, "JPEG", progressive=True, **options),
            right,
            by=6,
        )
    whole = saved(photo, "JPEG", quality=92)
    right = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB"))
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
    xmp += b'tiff:Orientation="%d" xmlns:tiff="t"/></rdf:RDF></x:xmpmeta>'
    thumbnail = saved(photo.resize((40, 30)), "JPEG")
    version = bytearray(whole)
    version[11:13] = b"\0\0"
    scan = whole.index(b"\xff\xda")
    odd = {
        "damaged EXIF": jpeg_segments(whole, 0xE1, b"Exif\0\0" + os.urandom(200)),
        "EXIF with a circle": jpeg_segments(whole, 0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0"),
        "orientation 0": saved(photo, "JPEG", quality=92, exif=exif_of(0)),
        "orientation 9": saved(photo, "JPEG", quality=92, exif=exif_of(9)),
        "XMP": jpeg_segments(whole, 0xE1, xmp % 1),
        "damaged profile": jpeg_segments(whole, 0xE2, b"ICC_PROFILE\0\1\1" + os.urandom(200)),
        "half a profile": jpeg_segments(whole, 0xE2, b"ICC_PROFILE\0\1\2" + os.urandom(200)),
        "a long comment": jpeg_segments(whole, 0xFE, b"x" * 65000),
        "a thumbnail": jpeg_segments(whole, 0xE1, b"Exif\0\0" + thumbnail),
        "an unknown version": bytes(version),
        "IPTC": jpeg_segments(whole, 0xED, b"Photoshop 3.0\0" + os.urandom(500)),
        "fill bytes": whole[:2] + b"\xff" * 9 + whole[2:],
        "fill bytes before the scan": whole[:scan] + b"\xff" * 7 + whole[scan:],
        "extraneous bytes before its end": whole[:-2] + b"\1\2\3\4" * 20 + b"\xff\xd9",
        "zeros before its end": whole[:-2] + bytes(900) + b"\xff\xd9",
        "extraneous bytes before the scan": whole[:scan] + b"abc" + whole[scan:],
        "an odd version and half of it": bytes(version[: len(version) // 2]) + b"\xff\xd9",
    }
    for name, data in odd.items():
        yield Case(f"JPEG with {name}", data, right, by=1.0, may_be_left_out="half of it" in name)
    for orientation in range(2, 9):
        stored = saved(turned(photo, orientation), "JPEG", quality=92)
        yield Case(
            f"JPEG with XMP orientation {orientation}",
            jpeg_segments(stored, 0xE1, xmp % orientation),
            np.asarray(photo),
            6,
        )
    coded = saved(photo, "JPEG", quality=95, keep_rgb=True)
    yield Case("JPEG stored as RGB", coded, np.asarray(photo), by=4)
    for name, extra in tails().items():
        yield Case(f"JPEG followed by {name}", whole + extra, right)
    second = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for orientation in range(1, 9):
        options = {"quality": 95, "exif": exif_of(orientation), "save_all": True, "append_images": [second]}
        data = saved(turned(photo, orientation), "MPO", **options)
        yield Case(f"MPO, orientation {orientation}", data, np.asarray(photo), by=6)
    kinds = {
        "": {},
        " progressive": {"progressive": True},
        " with restarts": {"restart_marker_rows": 2},
        " on its side": {"exif": exif_of(6)},
        " optimised": {"optimize": True},
    }
    for name, options in kinds.items():
        stored = saved(photo, "JPEG", quality=92, **options)
        yield from cuts(f"JPEG{name}", stored, np.asarray(decode(stored)), b"\xff\xd9")
    for mode in ("L", "CMYK"):
        stored = saved(photo.convert(mode), "JPEG", quality=92)
        yield from cuts(f"JPEG {mode}", stored, np.asarray(decode(stored)), b"\xff\xd9")


def tiff_cases(photo: Image.Image) -> Iterator[Case]:
    tifffile = importlib.import_module("tifffile")
    rgb, grey = np.asarray(photo), np.asarray(photo.convert("L"))
    deep = grey.astype(np.uint16) * 257
    arrays = {
        "grey 8": (grey, "minisblack", np.dstack([grey] * 3)),
        "grey 8, white 0": (255 - grey, "miniswhite", np.dstack([grey] * 3)),
        "grey 16": (deep, "minisblack", np.dstack([grey] * 3)),
        "grey 16, white 0": (65535 - deep, "miniswhite", np.dstack([grey] * 3)),
        "RGB 8": (rgb, "rgb", rgb),
        "RGB 16": (rgb.astype(np.uint16) * 257, "rgb", rgb),
        "float": (_stretched(grey), "minisblack", None),
        "float, white 0": (-_stretched(grey), "miniswhite", None),
        "signed 16": (_stretched(grey, np.int16), "minisblack", None),
        "signed 32": (_stretched(grey, np.int32), "minisblack", None),
    }
    stretched = np.rint((grey - float(grey.min())) * (255 / (float(grey.max()) - grey.min()))).astype(np.uint8)
    layouts = ({}, {"compression": "zlib"}, {"tile": (32, 32)}, {"rowsperstrip": 7}, {"bigtiff": True})
    for (name, (values, photometric, right)), order, layout in itertools.product(arrays.items(), "<>", layouts):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, photometric=photometric, byteorder=order, metadata=None, **layout)
        right = np.dstack([stretched] * 3) if right is None else right
        # Some of these kinds few programs read; what is not read has to be left out.
        yield Case(f"TIFF {name}, order {order}, {layout}", buffer.getvalue(), right, 1.0, may_be_left_out=True)
    alpha = np.full(grey.shape, 128, np.uint8)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.dstack([rgb, alpha]), photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    faded = np.rint(rgb * (128 / 255) + 127).astype(np.uint8)
    yield Case("TIFF with alpha", buffer.getvalue(), faded, 1.0)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate", metadata=None)
    yield Case("TIFF in planes", buffer.getvalue(), rgb, 1.0, may_be_left_out=True)
    for compression, mode in itertools.product(
        (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "zstd", "webp", "lzma"),
        ("L", "RGB", "RGBA", "P", "1", "CMYK"),
    ):
        image = photo.convert(mode)
        try:
            data = saved(image, "TIFF", compression=compression, quality=95)
        except Exception:
            continue
        right = np.asarray(image.convert("RGB"))
        yield Case(f"TIFF {mode} {compression}", data, right, 6.0 if compression in ("jpeg", "webp") else 0.6)
    for orientation, mode in itertools.product(range(1, 9), ("RGB", "I;16")):
        image = turned(photo if mode == "RGB" else Image.fromarray(deep), orientation)
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[ORIENTATION] = orientation
        right = rgb if mode == "RGB" else np.dstack([grey] * 3)
        yield Case(f"TIFF {mode}, orientation {orientation}", saved(image, "TIFF", tiffinfo=tags), right, 1.0)
    pages = saved(photo, "TIFF", save_all=True, append_images=[ImageOps.invert(photo)])
    yield Case("TIFF of two pages", pages, rgb)
    for name, extra in tails().items():
        yield Case(f"TIFF followed by {name}", saved(photo, "TIFF") + extra, rgb)
    yield from cuts("TIFF", saved(photo, "TIFF"), rgb, b"")
    yield from cuts("TIFF LZW", saved(photo, "TIFF", compression="tiff_lzw"), rgb, b"")


def _stretched(grey: np.ndarray, kind=np.float32) -> np.ndarray:
    return (grey.astype(np.float64) * 100 - 5000).astype(kind)


def other_cases(photo: Image.Image) -> Iterator[Case]:
    rgb = np.asarray(photo)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, photo.width).astype(np.uint8), (photo.height, 1))))
    paper = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    kinds = {
        "WEBP": ({"lossless": True}, {"quality": 95}, {"quality": 95, "method": 0}),
        "AVIF": ({"quality": 95}, {"quality": 95, "subsampling": "4:4:4"}, {"quality": 95, "subsampling": "4:0:0"}),
    }
    if importlib.util.find_spec("pillow_heif") and importlib.util.find_spec("pi_heif"):
        importlib.import_module("pillow_heif").register_heif_opener()
        kinds["HEIF"] = ({"quality": 95}, {"quality": 60})
    for format, (options, orientation) in (
        (f, way) for f, ways in kinds.items() for way in itertools.product(ways, range(1, 9))
    ):
        grey = options.get("subsampling") == "4:0:0"
        right = np.asarray(photo.convert("L").convert("RGB") if grey else photo)
        data = saved(turned(photo, orientation), format, exif=exif_of(orientation), **options)
        yield Case(f"{format} {options}, orientation {orientation}", data, right, by=8)
        if not grey:
            data = saved(turned(clear, orientation), format, exif=exif_of(orientation), **options)
            yield Case(f"{format} with alpha {options}, orientation {orientation}", data, np.asarray(paper), by=8)
    for format, (first, *_) in kinds.items():
        whole = saved(photo, format, **first)
        shown = np.asarray(decode(whole))
        for name, extra in tails().items():
            yield Case(f"{format} followed by {name}", whole + extra, shown)
        yield from cuts(format, whole, shown, b"")
    webp = saved(photo, "WEBP", quality=90)
    for part in (0.3, 0.6, 0.9):
        half = bytearray(webp[: int(len(webp) * part) // 2 * 2])
        half[4:8] = struct.pack("<I", len(half) - 8)
        half[16:20] = struct.pack("<I", len(half) - 20)
        yield Case(f"WEBP cut at {part:.0%}, its lengths mended", bytes(half), np.asarray(decode(webp)), 0.6, True)
    frames = [photo, ImageOps.invert(photo)]
    for format in ("GIF", "PNG", "WEBP", "AVIF"):
        options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "AVIF" else {}
        data = saved(photo, format, save_all=True, append_images=frames[1:], duration=80, **options)
        yield Case(f"{format} animated", data, rgb, by=12)
    for colours, interlaced, hidden in itertools.product((2, 4, 16, 200), (0, 1), (False, True)):
        few = photo.quantize(colours)
        seen = np.asarray(few.convert("RGB")).copy()
        options = {"transparency": 0} if hidden else {}
        if hidden:
            seen[np.asarray(few) == 0] = 255
        data = saved(few, "GIF", interlace=interlaced, optimize=False, **options)
        yield Case(f"GIF {colours} colours, interlaced {interlaced}, hidden {hidden}", data, seen)
    gif = saved(photo.quantize(64), "GIF")
    yield from cuts("GIF", gif, np.asarray(decode(gif)), b"\0;")
    for name, extra in tails().items():
        yield Case(f"GIF followed by {name}", gif + extra, np.asarray(decode(gif)))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        data = saved(photo.convert(mode), "BMP")
        yield Case(f"BMP {mode}", data, np.asarray(photo.convert(mode).convert("RGB")))
    height, width = rgb.shape[:2]
    padded = np.zeros((height, (width * 3 + 3) // 4 * 4), np.uint8)
    padded[:, : width * 3] = rgb[:, :, ::-1].reshape(height, -1)
    head = struct.pack(
        "<2sIHHIIiiHHIIiiII", b"BM", 54 + padded.size, 0, 0, 54, 40, width, -height, 1, 24, 0, padded.size, 1, 1, 0, 0
    )
    yield Case("BMP from top to bottom", head + padded.tobytes(), rgb)
    yield from cuts("BMP", saved(photo, "BMP"), rgb, b"")
    for format, name in (
        ("PPM", "letter.jpg"),
        ("TGA", "x.jpg"),
        ("ICO", "x.png"),
        ("PDF", "x.jpg"),
        ("JPEG2000", "x.jpg"),
    ):
        yield Case(f"{format} named {name}", saved(photo, format), must_be_left_out=True)
    for width, height in ((1, 1), (1, 3000), (3000, 1), (4000, 3), (2, 2)):
        tiny = photo.resize((width, height))
        yield Case(f"PNG of {width} × {height}", saved(tiny, "PNG"), np.asarray(tiny))
        yield Case(f"JPEG of {width} × {height}", saved(tiny, "JPEG", quality=95), np.asarray(tiny), by=25)


def no_images(photo: Image.Image) -> Iterator[Case]:
    texts = {
        "no bytes": b"",
        "a text": b"Dear learner",
        "a web page": b"<!DOCTYPE html><html>Please log in</html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "zeros": bytes(10_000),
        "noise": os.urandom(10_000),
        "a zip": b"PK\3\4" + os.urandom(500),
        "a film": b"\0\0\0\x18ftypmp42" + os.urandom(500),
        "HEIC, its head alone": b"\0\0\0\x18ftypheic" + bytes(100),
        "AVIF, its head alone": b"\0\0\0\x18ftypavif" + bytes(100),
    }
    for name, data in texts.items():
        yield Case(name, data, must_be_left_out=True)
    heads = {format: saved(photo, format) for format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")}
    for (format, whole), (name, byte) in itertools.product(
        heads.items(), (("zeros", b"\0"), ("0xFF", b"\xff"), ("a's", b"a"))
    ):
        for start in (3, 12, 60, 200, 700):
            data = whole[:start] + byte * 60_000_000
            yield Case(f"{start} bytes of a {format}, then 60 MB of {name}", data, np.asarray(decode(whole)), 0.6, True)
    for name, size in (("100,000 × 100,000", 100_000), ("9,000 × 9,000", 9_000)):
        data = bytearray(saved(Image.new("L", (1, 1)), "PNG"))
        data[16:24] = struct.pack(">II", size, size)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        yield Case(f"PNG that claims {name} pixels", bytes(data), must_be_left_out=True)
    jpeg = heads["JPEG"]
    yield Case("JPEG of 10 million comments", jpeg[:2] + b"\xff\xfe\0\2" * 10_000_000 + jpeg[2:], None, 0.6, True, True)
    large = saved(Image.new("L", (8000, 8000), 90), "JPEG", progressive=True)
    scan = large.rindex(b"\xff\xda")
    yield Case("JPEG of 3,000 scans", large[:scan] + large[scan:-2] * 3000 + b"\xff\xd9", None, 0.6, True, True)
    chunks = heads["PNG"][:33] + chunk(b"quIz", b"") * 5_000_000 + heads["PNG"][33:]
    yield Case("PNG of 5 million chunks", chunks, np.asarray(photo), 0.6, True)


def second_decoder(data: bytes) -> np.ndarray | None:
    """The same file by another decoder, upright and on white; None where there is none for it."""
    if importlib.util.find_spec("pyvips"):
        import pyvips

        try:
            image = pyvips.Image.new_from_buffer(data, "").autorot()
            if image.interpretation in ("cmyk", "lab", "labs") or image.format in ("float", "double", "short", "int"):
                return None  # it applies profiles; and of these ranges each program thinks otherwise
            image = image.colourspace("srgb")
            image = image.flatten(background=[255, 255, 255]) if image.hasalpha() else image
            pixels = image.numpy()
            return np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[:, :, :3].astype(np.uint8)
        except pyvips.Error:
            pass
    if importlib.util.find_spec("cv2") and data[:2] == b"BM":
        import cv2

        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if pixels is None else pixels[:, :, ::-1]
    return None


def differ(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels; infinite where the shapes differ."""
    return float(np.abs(one.astype(int) - other).mean()) if one.shape == other.shape else float("inf")


def work(connection) -> None:
    """Decodes what it is sent, in a process of its own, which a decoder may bring down."""
    while True:
        try:
            connection.send(np.asarray(decode(connection.recv())))
        except EOFError:  # nothing more will come
            return
        except ImageError as error:
            connection.send((error.reason, str(error)))
        except BaseException as error:
            connection.send(repr(error))


class Worker:
    """A process that decodes; started again when it hangs or dies."""

    def __init__(self):
        self.process = None

    def decode(self, data: bytes):
        """What `tlhelpers` makes of a file, or `hung`, or `died`."""
        if self.process is None:
            self.here, there = multiprocessing.Pipe()
            self.process = multiprocessing.Process(target=work, args=(there,), daemon=True)
            self.process.start()
        self.here.send(data)
        try:
            if self.here.poll(SECONDS):
                return self.here.recv()
            return "hung"
        except EOFError:
            return "died"
        finally:
            if not self.process.is_alive() or self.here.poll(0) is None:
                self.process = None

    def stop(self):
        """Ends the process."""
        self.process.kill()
        self.process = None


def photos() -> list[Image.Image]:
    """A drawn pet, and where TLHELPERS_DATA is set a real one, of a size that no block of 8 pixels divides."""
    from tlhelpers.drawn_pets import draw_pets

    found = [Image.fromarray(draw_pets(1, seed=0, size=128).images[0]).resize((157, 118))]
    pack = Path(os.environ.get("TLHELPERS_DATA", ""), "oxford_iiit_pet", "images.tar.gz")
    if os.environ.get("TLHELPERS_DATA") and pack.is_file():
        with tarfile.open(pack) as archive:
            member = next(m for m in archive if m.name.lower().endswith(".jpg"))
            found.append(Image.open(archive.extractfile(member)).convert("RGB").resize((157, 118)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print each file that was left out")
    verbose = parser.parse_args().verbose
    counts, why, bad, slowest = collections.Counter(), collections.Counter(), [], []
    worker, checked, disagree = Worker(), 0, []
    makers = (jpeg_cases, png_cases, tiff_cases, other_cases)
    pictures = photos()
    cases = (case for photo in pictures for make in makers for case in make(photo))
    for case in itertools.chain(cases, no_images(pictures[-1])):
        start = time.monotonic()
        came = worker.decode(case.data)
        slowest = sorted([*slowest, (time.monotonic() - start, case.name)], reverse=True)[:5]
        counts["files"] += 1
        if isinstance(came, str):
            kind = {"hung": "hung", "died": "crashed"}.get(came, "crashed")
            bad.append(f"{kind}: {case.name}: {came}")
            counts[kind] += 1
            if came in ("hung", "died"):
                worker.stop()
            continue
        if isinstance(came, tuple):
            counts["left out"] += 1
            why[came] += 1
            expected = case.may_be_left_out or case.must_be_left_out
            counts["left out, although it is whole"] += not expected
            if verbose or not expected:
                print(f"left out: {case.name}: {came[0]} ({came[1]})")
            continue
        if case.must_be_left_out and not case.may_be_left_out:
            counts["wrong"] += 1
            bad.append(f"wrong: {case.name}: decoded, and is no picture")
            continue
        other = None if case.may_be_left_out else second_decoder(case.data)
        if other is not None and case.right is not None:
            checked += 1
            if differ(other, case.right) > max(case.by, 1.0):
                disagree.append((case.name, round(differ(other, case.right), 1), round(differ(other, came), 1)))
        right = other if case.right is None else case.right
        if right is not None and differ(came, right) > case.by:
            counts["wrong"] += 1
            bad.append(f"wrong: {case.name}: differs by {differ(came, right):.1f} grey levels")
        else:
            counts["right"] += 1
    print(*bad, sep="\n")
    print(f"\nsecond decoder: {checked} files checked, {len(disagree)} where it says something else:")
    for name, from_right, from_ours in disagree:
        print(f"  {name}: it differs by {from_right} from what was written, by {from_ours} from ours")
    print("\nleft out:")
    for (reason, detail), number in why.most_common(40):
        print(f"  {number:5} {reason}: {detail[:100]}")
    print("\nslowest:", *(f"{seconds:.1f} s {name}" for seconds, name in slowest), sep="\n  ")
    print(
        "\n"
        + ", ".join(f"{name} {counts[name]}" for name in ("files", "right", "left out", "wrong", "crashed", "hung"))
    )
    print(f"of those left out, whole: {counts['left out, although it is whole']}")
    return int(bool(bad))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
