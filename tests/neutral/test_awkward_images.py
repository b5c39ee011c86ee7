"""Image files that phones, scanners, disks and old programs leave behind: the right pixels, or a reason."""

import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image, features

from tlhelpers.data.images import ImageError, decode, open_image, prepare_photo
from tlhelpers.errors import DatasetError

GREY = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1)


def save(pixels, format, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_png(rows: list[bytes], width: int, bits: int, colour: int, clear: bytes) -> bytes:
    """A PNG with a transparent colour, written by the format's own rules."""
    head = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tRNS", clear) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow has no AVIF")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_read_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(RGB, "AVIF", quality=95, exif=exif)
    turns = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
             6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}  # fmt: skip
    right = turns.get(orientation, lambda a: a)(RGB)
    got = np.asarray(decode(data))
    assert got.shape == right.shape
    assert np.abs(got.astype(int) - right).mean() < 4


def test_of_two_photos_in_one_file_the_first_is_taken():
    buffer = io.BytesIO()
    other = Image.fromarray(255 - RGB)
    Image.fromarray(RGB).save(buffer, "MPO", save_all=True, append_images=[other], quality=95)
    assert np.abs(np.asarray(decode(buffer.getvalue())).astype(int) - RGB).mean() < 4


def test_a_16_bit_scan_whose_zero_is_white_is_no_negative():
    """Photometric interpretation 0, as scanners of documents and X-rays write it."""
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", tiffinfo={262: 0})
    assert np.abs(np.asarray(decode(buffer.getvalue()))[..., 0].astype(int) - (255 - GREY)).max() <= 1


@pytest.mark.parametrize(
    ("bits", "colour", "row", "clear", "right"),
    [
        (2, 0, bytes([0b00011011]), 1, [0, 255, 170, 255]),
        (4, 0, bytes([0x04, 0x8F]), 4, [0, 255, 136, 255]),
        (8, 0, bytes([0, 70, 140, 255]), 70, [0, 255, 140, 255]),
        (16, 0, struct.pack(">4H", 0, 7, 40_000, 65_535), 7, [0, 255, 156, 255]),
    ],
)
def test_a_grey_level_that_is_transparent_is_white_paper(bits, colour, row, clear, right):
    data = write_png([row], 4, bits, colour, struct.pack(">H", clear))
    assert np.asarray(decode(data))[0, :, 0].tolist() == pytest.approx(right, abs=1)


def test_a_colour_that_is_transparent_is_white_paper():
    data = write_png([bytes([0, 255, 0, 9, 9, 9])], 2, 8, 2, struct.pack(">3H", 0, 255, 0))
    assert np.asarray(decode(data))[0].tolist() == [[255, 255, 255], [9, 9, 9]]


@pytest.mark.parametrize("tail", [b"\xff\xd9", b"\0" * 5000 + b"\xff\xd9"])
def test_half_a_jpeg_with_an_end_is_left_out(tail):
    data = save(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8), "JPEG", quality=90)
    with pytest.raises(ImageError) as error:
        decode(data[: len(data) // 2] + tail)
    assert error.value.reason == "truncated"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"<html>"])
def test_a_png_that_a_disk_has_filled_up_is_left_out(share, filling):
    whole = save(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "PNG")
    at = int(len(whole) * share)
    with pytest.raises(ImageError) as error:
        decode(whole[:at] + (filling * len(whole))[: len(whole) - at - 12] + whole[-12:])
    assert error.value.reason in ("truncated", "unreadable")


def test_a_png_with_damaged_words_beside_the_picture_is_read():
    data = save(RGB, "PNG")
    comment = bytearray(chunk(b"tEXt", b"Author\0somebody"))
    comment[-1] ^= 1
    assert np.array_equal(decode(data[:-12] + bytes(comment) + data[-12:]), RGB)


def test_numbers_that_pillow_would_swap_are_left_out():
    tifffile = pytest.importorskip("tifffile", reason="writes TIFF with the largest byte first")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY.astype(np.float32), byteorder=">", compression="zlib", metadata=None)
    with pytest.raises(ImageError, match="largest byte first"):
        decode(buffer.getvalue())


def test_deep_planes_and_numbers_without_a_sign_are_left_out():
    """Pillow gives a pattern for the former, and turns the bright half of the latter dark."""
    tifffile = pytest.importorskip("tifffile", reason="writes these kinds of TIFF")
    planes = np.moveaxis(RGB, -1, 0).astype(np.uint16) * 257
    kinds = [(planes, {"photometric": "rgb", "planarconfig": "separate"})]
    kinds += [(GREY.astype(np.uint32) * 65537, {"photometric": "minisblack"})]
    for pixels, options in kinds:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, metadata=None, **options)
        with pytest.raises(ImageError, match="16 bits in planes, or 32 without a sign"):
            decode(buffer.getvalue())


@pytest.mark.parametrize("numbers", [(0, 0, 0), (1, 63, 0), (0, 63, 1)])
def test_odd_numbers_in_the_head_of_a_scan_are_no_damage(numbers):
    """Samsung's phones write them; in a sequential JPEG they say nothing."""
    data = bytearray(save(RGB, "JPEG", quality=90))
    whole, scan = np.asarray(decode(bytes(data))), data.rfind(b"\xff\xda")
    at = scan + 5 + 2 * data[scan + 4]
    data[at : at + 3] = bytes(numbers)
    assert np.array_equal(decode(bytes(data)), whole)
    with pytest.raises(ImageError, match="cut off"):
        decode(bytes(data[: len(data) // 2 + scan // 2]))


def test_a_video_behind_a_photo_is_no_part_of_it():
    data = save(RGB, "JPEG", quality=90)
    assert np.array_equal(decode(data + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 1000), decode(data))


@pytest.mark.parametrize("factors", [(0x31, 0x11, 0x11), (0x22, 0x21, 0x12), (0x42, 0x11, 0x11)])
def test_sampling_factors_that_only_pillow_knows(factors):
    """A flat grey JPEG: in each block "no difference" and "end of block", by the standard's codes."""
    data = bytearray(save(np.full((96, 96, 3), 128, np.uint8), "JPEG", subsampling=0))
    frame, scan = data.find(b"\xff\xc0"), data.find(b"\xff\xda")
    for k, factor in enumerate(factors):
        data[frame + 11 + 3 * k] = factor
    wide, high = (8 * max(part(f) for f in factors) for part in (lambda f: f >> 4, lambda f: f & 15))
    block = "".join(code * (f >> 4) * (f & 15) for code, f in zip(("001010", "0000", "0000"), factors, strict=True))
    bits = block * (-(-96 // wide) * -(-96 // high))
    bits += "1" * (-len(bits) % 8)
    data = bytes(data[: scan + 14]) + int(bits, 2).to_bytes(len(bits) // 8, "big") + b"\xff\xd9"
    assert np.array_equal(decode(data), np.full((96, 96, 3), 128))


FILLED_UP = {
    "BMP": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "WebP": {"quality": 80},
    "JPG": {"quality": 90, "restart_marker_blocks": 1},
    "AVIF": {"quality": 95},
    "JPEG": {"progressive": True, "quality": 92},
}


@pytest.mark.parametrize("format", FILLED_UP)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"a"])
def test_a_photo_whose_end_a_disk_has_filled_up_is_left_out(format, share, filling):
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this build of Pillow has no AVIF")
    options = FILLED_UP[format]
    pixels = np.clip(np.random.default_rng(0).normal(RGB, 20), 1, 254).astype(np.uint8)
    format = {"JPG": "JPEG"}.get(format, format)
    whole = save(pixels, format, **options)
    assert np.abs(np.asarray(decode(whole)).astype(int) - pixels).mean() < 25
    at, end = int(len(whole) * share), b"\xff\xd9" if format == "JPEG" else b""
    with pytest.raises(ImageError) as error:
        decode(whole[:at] + filling * (len(whole) - at - len(end)) + end)
    assert error.value.reason in ("truncated", "unreadable")


@pytest.mark.parametrize("kind", ["few colours", "the top row first"])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_bmp_of_few_colours_or_from_above_whose_end_was_filled_up_is_left_out(kind, share):
    rows = np.clip(np.random.default_rng(0).normal(RGB, 20), 1, 254).astype(np.uint8)
    if kind == "few colours":
        buffer = io.BytesIO()
        Image.fromarray(rows).quantize(64).save(buffer, "BMP")  # 255 is none of them
        whole, filling = buffer.getvalue(), b"\xff"
    else:
        whole, filling = bytearray(save(rows[::-1], "BMP")), b"\0"
        whole[22:26] = struct.pack("<i", -len(rows))
        assert np.array_equal(decode(bytes(whole)), rows)
    at = int(len(whole) * share)
    with pytest.raises(ImageError, match="the end of the file was lost"):
        decode(bytes(whole[:at]) + filling * (len(whole) - at))


@pytest.mark.parametrize("format", ["BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("border", [0, 255])
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("tail", [b"", bytes(5000), b"\xff" * 5000, bytes(range(256))])
def test_borders_of_one_colour_and_what_follows_a_picture_are_no_loss(format, border, rows, tail):
    """A scan on white paper, and a film's black bars; files end in the row above in BMP, in the row below otherwise."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 500, 3), np.uint8)
    pixels[:rows] = pixels[-rows:] = border
    pixels[:, :3] = pixels[rows - 1 : -rows, -40:] = border  # and a frame on both sides
    options = {"lossless": True, "method": 0} if format == "WEBP" else {}
    assert np.array_equal(decode(save(pixels, format, **options) + tail), pixels)


def test_metadata_that_end_in_zeros_are_no_loss():
    exif = Image.Exif()
    exif[0x9286] = bytes(600)  # a comment of the camera that nobody has written
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = save(pixels, "WEBP", lossless=True, exif=exif)
    assert data.endswith(bytes(500))
    assert np.array_equal(decode(data), pixels)


def test_a_png_in_very_many_pieces_takes_no_time():
    whole = save(RGB, "PNG")
    data = whole[:33] + chunk(b"quIz", b"") * 5_000_000 + whole[33:]
    start = time.process_time()
    with pytest.raises(ImageError) as error:
        decode(data)
    assert time.process_time() - start < 2
    assert error.value.reason == "too large"
    rows = b"".join(b"\0" + bytes([y % 256]) * 600 for y in range(200))
    body = zlib.compress(rows, 0)
    pieces = b"".join(chunk(b"IDAT", body[i : i + 2]) for i in range(0, len(body), 2))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 200, 200, 8, 2, 0, 0, 0))
    picture = decode(b"\x89PNG\r\n\x1a\n" + head + pieces + chunk(b"IEND", b""))
    assert picture.getpixel((7, 150)) == (150, 150, 150)


@pytest.mark.parametrize("format", ["JPEG", "GIF"])
@pytest.mark.parametrize("head", [3, 12, 200])
@pytest.mark.parametrize("filling", [b"\xff", b"\0"])
def test_a_head_and_megabytes_of_nothing_take_no_time(format, head, filling):
    data = save(RGB, format)[:head] + filling * 30_000_000
    start = time.process_time()
    with pytest.raises(ImageError):
        decode(data)
    assert time.process_time() - start < 1


def test_a_jpeg_of_thousands_of_passes_is_refused_before_it_is_decoded():
    data = save(RGB, "JPEG", progressive=True)
    scan = data.rfind(b"\xff\xda")
    with pytest.raises(ImageError) as error:
        open_image(data[:-2] + data[scan:-2] * 3000 + b"\xff\xd9")
    assert error.value.reason == "too large"


def test_heic_is_named_and_what_to_do_with_it(monkeypatch):
    monkeypatch.setattr("tlhelpers.data.images._formats", lambda: ("JPEG", "PNG"))
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    with pytest.raises(DatasetError, match="HEIC, el formato de los iPhone"):
        prepare_photo(data, 64)


def test_an_image_of_79_megapixels_and_16_bits_takes_the_room_of_one_of_8():
    program = """
import io, resource, sys
import numpy as np
from PIL import Image
from tlhelpers.data.images import decode
grey = np.zeros((7900, 10000), np.uint16 if sys.argv[1] == "16" else np.uint8)
buffer = io.BytesIO()
Image.fromarray(grey).save(buffer, "PNG", compress_level=1)
del grey
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(buffer.getvalue())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""
    if sys.platform == "win32":
        pytest.skip("the peak of a process is measured otherwise there")
    peak = {}
    for bits in ("8", "16"):
        done = subprocess.run([sys.executable, "-c", program, bits], capture_output=True, text=True, check=True)
        peak[bits] = float(done.stdout)
    assert peak["16"] < peak["8"] + 400  # MB; 160 of it are the picture's own second byte, in the file and decoded
