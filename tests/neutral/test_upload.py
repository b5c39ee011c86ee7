"""A photo of one's own in a real browser: whatever is chosen gets an answer, and the field works on."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.neutral.browser import CHROMIUM, open_in_lab

FIELD = "document.querySelector('.tl-photo input[type=file]')"
RED, BLUE, WHITE = (230, 40, 30), (20, 50, 220), (255, 255, 255)
# Prints how many bytes arrived, and the colours of the upper and the lower half as a network gets them.
CODE = """
from tlhelpers.data.images import prepare_photo
from tlhelpers.widgets import ask_for_photo
ask_for_photo(lambda photo: print(len(photo), prepare_photo(photo, 64)[[8, 56], 32].tolist()), "es")
"""


def paint(width: int, height: int, noise: float = 0) -> Image.Image:
    """Red above, blue below; noise makes the file large."""
    pixels = np.empty((height, width, 3), np.float32)
    pixels[: height // 2], pixels[height // 2 :] = RED, BLUE
    if noise:
        rng = np.random.default_rng(0)
        pixels += noise * rng.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write(image: Image.Image, kind: str, turned: bool = False, **options) -> bytes:
    exif = Image.Exif()
    if turned:  # as a phone held upright writes it
        image, exif[0x0112] = image.transpose(Image.Transpose.ROTATE_90), 6
    file = io.BytesIO()
    image.save(file, kind, exif=exif, **options)
    return file.getvalue()


def clear_below(image: Image.Image) -> Image.Image:
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[image.height // 2 :] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_every_file_is_answered_and_the_field_works_on(tmp_path):
    pytest.importorskip("jupyterlab")
    pytest.importorskip("websocket")
    huge = write(paint(7300, 5500, noise=13), "JPEG", turned=True, quality=90)
    assert len(huge) > 15e6  # far more than Jupyter's server takes in one message
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(3000)
    damaged = huge[:3_000_000]
    files = {
        "plain.jpg": (write(paint(400, 300), "JPEG"), (RED, BLUE)),
        "huge.jpg": (huge, (RED, BLUE)),
        "letter.jpg": (b"Querida alumna: esto no es una foto.", "no es una imagen"),
        "turned.jpg": (write(paint(400, 300), "JPEG", turned=True), (RED, BLUE)),
        "IMG_0001.HEIC": (heic, "HEI[CF]"),
        "clear.png": (write(clear_below(paint(400, 300)), "PNG"), (RED, WHITE)),
        "large clear.png": (write(clear_below(paint(1500, 1400, noise=20)), "PNG"), (RED, WHITE)),
        "IMG_0002.HEIC": (heic + bytes(7_000_000), "demasiado grande"),
        "print.jpg": (write(paint(400, 300).convert("CMYK"), "JPEG"), (RED, BLUE)),
        "large print.jpg": (write(paint(4000, 3000, noise=12).convert("CMYK"), "JPEG", quality=90), (RED, BLUE)),
        "half.jpg": (damaged, "cortada"),
        "empty.jpg": (b"", "vacío"),
        "plain again.jpg": (write(paint(400, 300), "JPEG"), (RED, BLUE)),
    }
    with open_in_lab(CODE, tmp_path, TLHELPERS_LANGUAGE="es") as page:
        page.wait_for(f"{FIELD} != null")
        node = page.call("Accessibility.getPartialAXTree", objectId=page.run(FIELD, by_value=False))["nodes"][0]
        assert "Elija una foto" in node["name"]["value"]  # what a screen reader says
        page.run(f"{FIELD}.focus()")
        assert page.run(f"document.activeElement === {FIELD}")  # reached with the keyboard
        page.run("bar = document.querySelector('.tl-photo progress'); new MutationObserver(() => moved++)"
                 ".observe(bar, {attributes: true}); moved = 0")  # fmt: skip
        for name, (content, expected) in files.items():
            (tmp_path / name).write_bytes(content)
            page.run("moved = 0")
            page.choose_file(FIELD, tmp_path / name)
            page.wait_for("moved >= 2 && bar.hidden")  # something has moved, and come to rest
            told = page.run("document.querySelector('.tl-photo').innerText")
            if isinstance(expected, str):
                assert re.search(expected, told), (name, told)
                continue
            numbers = [int(number) for number in re.findall(r"[0-9]+", told)]
            assert len(numbers) == 7, (name, told)
            assert numbers[0] < 6e6, name
            assert np.abs(np.array(numbers[1:]) - np.ravel(expected)).max() < 30, (name, told)
