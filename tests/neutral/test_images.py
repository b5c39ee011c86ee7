import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tlhelpers.data.images import ImageError, decode, open_image, prepare, prepare_photo
from tlhelpers.errors import DatasetError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image, format="PNG", **options):
    with io.BytesIO() as buffer:
        image.save(buffer, format, **options)
        return buffer.getvalue()


def colour(data, at=(5, 5)):
    return decode(data).getpixel(at)


def near(came, expected, by=6):
    return max(abs(a - b) for a, b in zip(came, expected, strict=True)) <= by


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr"])
def test_colour_jpegs_keep_their_colour(mode):
    assert near(colour(saved(Image.new("RGB", (40, 40), RED).convert(mode), "JPEG", quality=95)), RED)


def test_grey_jpeg():
    assert near(colour(saved(Image.new("L", (40, 40), 90), "JPEG")), (90, 90, 90))


def test_palette_image():
    assert colour(saved(Image.new("RGB", (40, 40), RED).convert("P"))) == RED


def test_transparency_shows_white_paper():
    half = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    half.paste((255, 0, 0, 255), (20, 0, 40, 40))
    assert colour(saved(half)) == WHITE
    assert colour(saved(half), (30, 5)) == RED
    assert near(colour(saved(Image.new("RGBA", (9, 9), (0, 0, 0, 128)))), (127, 127, 127))


def test_grey_with_transparency():
    assert colour(saved(Image.new("LA", (40, 40), (0, 0)))) == WHITE


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (40, 40), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (20, 0, 40, 40))
    data = saved(image, "GIF", transparency=0)
    assert colour(data) == WHITE
    assert colour(data, (30, 5)) == RED


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_clipped(format):
    values = np.linspace(0, 65535, 256).astype(np.uint16)
    image = Image.fromarray(np.tile(values, (256, 1)))
    assert image.mode == "I;16"
    grey = np.asarray(decode(saved(image, format)))[0, :, 0]
    np.testing.assert_allclose(grey, np.arange(256), atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation):
    upright = Image.new("RGB", (64, 48), "white")
    upright.paste(RED, (0, 0, 16, 16))  # red in the upper left corner
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera held so would have stored it
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = decode(saved(stored, "JPEG", quality=95, exif=exif))
    assert shown.size == (64, 48)
    assert near(shown.getpixel((4, 4)), RED, by=20)
    assert near(shown.getpixel((60, 44)), WHITE, by=20)


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, "blue", "green")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert colour(data) == RED


@pytest.mark.parametrize("side", [100_000, 9_000])  # beyond Pillow's own bound, and beyond ours only
def test_gigantic_image_is_refused_before_it_is_decoded(bomb, side):
    if side == 9_000:
        bomb = saved(Image.new("1", (side, side)))
    with pytest.raises(ImageError, match="pixels") as caught:
        open_image(bomb)
    assert caught.value.reason == "too large"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just some text, for all that", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"\xff\xd8\xff\xe0 and then nothing of a JPEG", "unreadable"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
    ],
    ids=["empty", "text", "postscript", "jpeg head", "png head"],
)
def test_what_is_no_image_says_so(data, reason):
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.reason == reason
    assert str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_image_cut_off_is_never_taken_for_whole(photo, format):
    data = photo(size=(300, 200), format=format)
    decode(data)
    for part in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError) as caught:
            decode(data[: int(len(data) * part)])
        assert caught.value.reason in ("truncated", "unreadable")


def test_prepare_equals_resize_and_centre_crop(photo):
    image = decode(photo(3, size=(500, 375)))
    scaled = image.resize((round(500 * 256 / 375), 256), Image.Resampling.BILINEAR)
    left = round((scaled.width - 224) / 2)
    usual = np.asarray(scaled.crop((left, 16, left + 224, 240))).astype(int)
    ours = prepare(image, 224).astype(int)
    assert np.abs(ours - usual).mean() < 1.5


def test_a_jpeg_has_pillows_pixels(photo):
    data = photo(5, size=(430, 333), quality=80)
    assert np.array_equal(decode(data), Image.open(io.BytesIO(data)).convert("RGB"))


@settings(deadline=None, max_examples=60)
@given(width=st.integers(1, 400), height=st.integers(1, 400), size=st.integers(16, 130))
def test_prepare_gives_the_asked_size_from_the_middle(width, height, size):
    column = np.linspace(0, 255, width).astype(np.uint8)
    image = np.repeat(np.tile(column, (height, 1))[:, :, None], 3, axis=2)
    result = prepare(image, size)
    assert np.array_equal(result, prepare(Image.fromarray(image), size))
    assert result.shape == (size, size, 3)
    assert result.dtype == np.uint8
    assert abs(result.mean() - 127.5) < 3 or width == 1  # the middle of a ramp is its mean


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_photo_of_ones_own(tmp_path, photo, as_bytes):
    file = tmp_path / "mi gato ñandú 猫.png"
    file.write_bytes(photo(size=(300, 200)))  # a JPEG, whatever its name says
    assert prepare_photo(file.read_bytes() if as_bytes else str(file), 64).shape == (64, 64, 3)


def test_a_photo_that_cannot_be_used_says_why(tmp_path):
    with pytest.raises(DatasetError, match="Check its path"):
        prepare_photo(tmp_path / "missing.jpg", 64)
    (tmp_path / "letter.jpg").write_text("Dear learner")
    with pytest.raises(DatasetError, match=r"not an image.*JPEG"):
        prepare_photo(tmp_path / "letter.jpg", 64)
