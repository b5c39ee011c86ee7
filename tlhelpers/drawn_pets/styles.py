"""From factors to a picture: the animal is lit and set into its scene, then shown as a photo, a sketch or by night."""

import copy
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tlhelpers.drawn_pets.body import draw_body
from tlhelpers.drawn_pets.factors import Factors
from tlhelpers.drawn_pets.head import draw_face, draw_head
from tlhelpers.drawn_pets.scene import draw_background, draw_occluder, noise_picture
from tlhelpers.drawn_pets.shapes import Pen, Sheet
from tlhelpers.errors import UnknownNameError, said

STYLES = ("photo", "sketch", "night")
SUPERSAMPLING = 2
_ANIMAL = [0] + [255] * 255


def draw(factors: Factors, size: int = 64, style: str = "photo") -> np.ndarray:
    """One picture of an animal.

    Returns:
        `(size, size, 3)` uint8; the same bytes for the same arguments.

    Raises:
        UnknownNameError: the style is none of `STYLES`.
    """
    check_style(style)
    f, side = factors, SUPERSAMPLING * size
    behind, animal, fur, front, camera = _generators(f)
    body, head, sheet = _pen(f, side, 0.0), _pen(f, side, f.tilt), Sheet(side)
    draw_body(f, sheet, body, animal)
    draw_head(f, sheet, head, animal)
    # what is out of focus needs no fine pixels
    background = draw_background(f, side // 2, behind).resize((side, side), Image.Resampling.BILINEAR)
    image = _light(f, sheet, background, fur)
    draw_face(f, ImageDraw.Draw(image), head)
    draw_occluder(f, image, front)
    image = image.reduce(SUPERSAMPLING)
    return {"photo": _photo, "sketch": _sketch, "night": _night}[style](f, image, camera)


def draw_truth(factors: Factors, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Where in its picture the animal is, and its head.

    Returns:
        The animal's mask `(size, size)` bool, its whiskers left out and what is hidden behind a thing in front kept;
        and the box of its head with the ears `(4,)` float32, left, top, right and bottom as fractions of the side.
    """
    f, side = factors, SUPERSAMPLING * size
    rng, whole, alone = _generators(f)[1], Sheet(side), Sheet(side)
    draw_body(f, whole, _pen(f, side, 0.0), rng)
    draw_head(f, alone, _pen(f, side, f.tilt), copy.deepcopy(rng))  # the same tufts of fur on both sheets
    draw_head(f, whole, _pen(f, side, f.tilt), rng)
    mask = np.asarray(whole.height.point(_ANIMAL).reduce(SUPERSAMPLING)) > 127
    return mask, np.array(alone.height.getbbox() or (0, 0, 0, 0), np.float32) / side


def _generators(f: Factors) -> list[np.random.Generator]:
    """Of the background, the animal, its fur, what stands in front, and the camera."""
    seeds = np.random.SeedSequence(f.detail_seed).spawn(5)
    return [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]


def _pen(f: Factors, side: int, angle: float) -> Pen:
    return Pen(f.x * side, f.y * side, f.scale * side, angle, f.flip)


def check_style(style: str) -> None:
    """Refuse a style that is none of `STYLES`."""
    if style not in STYLES:
        raise UnknownNameError(said("style", "estilo"), style, STYLES)


def _light(f: Factors, sheet: Sheet, background: Image.Image, rng) -> Image.Image:
    """Fur, light from above and soft shadows, by the slopes of the blurred heights."""
    side, radius = sheet.side, f.scale * sheet.side
    short, long = max(4, side // 2), max(4, int(side / (2 + 5 * f.fur)))
    hair = np.asarray(noise_picture(short, long, side, rng), np.float32) / 255 - 0.5
    if f.curl:
        cells = max(4, int(3.2 / f.scale))
        hair += 1.6 * f.curl * (np.asarray(noise_picture(cells, cells, side, rng), np.float32) / 255 - 0.5)
    half = sheet.height.reduce(2)
    fine = half.filter(ImageFilter.BoxBlur(0.05 * radius)).resize((side, side), Image.Resampling.BILINEAR)
    coarse = half.filter(ImageFilter.GaussianBlur(0.17 * radius)).resize((side, side), Image.Resampling.BILINEAR)
    fine, coarse = np.asarray(fine, np.float32), np.asarray(coarse, np.float32)
    relief = (0.35 * fine + 1.2 * coarse + (3 + 10 * f.fur + 12 * f.curl) * hair) * (radius / 200)
    shade = np.ones_like(relief)
    shade[:, 1:-1] -= 0.08 * math.sin(f.light_angle) * (relief[:, 2:] - relief[:, :-2])
    shade[1:-1] += 0.08 * math.cos(f.light_angle) * (relief[2:] - relief[:-2])
    hollow = np.clip(coarse - fine, 0, 60) / 200  # a part beside a higher one lies in its shadow
    shade = np.clip(shade - hollow, 0.35, 1.5) * (1 + 0.4 * hair)
    mask = sheet.height.point(_ANIMAL).filter(ImageFilter.BoxBlur(0.6))
    alpha = np.asarray(mask, np.float32) / 255
    before, behind = shade * alpha, (1 - 0.004 * np.minimum(coarse, 110)) * (1 - alpha)
    bands = []  # one colour at a time: numpy is slow where the last axis has three entries
    for coat, scene in zip(sheet.colour.split(), background.split(), strict=True):
        band = (np.asarray(coat, np.float32) + 6) * before + np.asarray(scene, np.float32) * behind
        bands.append(Image.fromarray(np.minimum(band, 255).astype(np.uint8)))
    return Image.merge("RGB", bands)


def _normal(shape, rng) -> np.ndarray:
    """About normal noise of deviation 1, from sums of uniform bytes: the same on every machine, and fast."""
    count = math.prod(shape)
    flat = np.frombuffer(rng.bytes(3 * count), np.uint8).reshape(3, count).sum(0, dtype=np.int16)
    return (flat.reshape(shape).astype(np.float32) - 382.5) / 128.0


def _photo(f: Factors, image: Image.Image, rng) -> np.ndarray:
    if f.blur:
        image = image.filter(ImageFilter.GaussianBlur(f.blur * image.width))
    pixels = np.asarray(image, np.float32)
    tint = f.light * np.array((1 + 0.08 * f.warmth, 1.0, 1 - 0.1 * f.warmth), np.float32)
    pixels = pixels * tint + f.noise * _normal(pixels.shape, rng)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _sketch(f: Factors, image: Image.Image, rng) -> np.ndarray:
    """Pencil on paper: dark where a pixel is darker than what surrounds it, with hatching in the shadows."""
    size = image.width
    grey = image.convert("L")
    around = np.asarray(grey.filter(ImageFilter.GaussianBlur(size / 40)), np.float32)
    tone = np.asarray(grey, np.float32)
    lines = np.clip((tone + 8) / (around + 8), 0, 1) ** 2.2
    rows, columns = np.indices((size, size))
    hatch = ((rows + columns) * 64 // size) % 3 == 0
    shadow = np.clip((110 - around) / 110, 0, 1) * np.where(hatch, 0.55, 0.2)
    grain = np.asarray(noise_picture(size, size, size, rng), np.float32) / 255 - 0.5
    ink = lines * (1 - shadow) * (1 + 0.12 * grain)
    paper = np.array((246, 242, 232), np.float32)
    pencil = np.array((52, 50, 56), np.float32)
    pixels = pencil + (paper - pencil) * ink[..., None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _night(f: Factors, image: Image.Image, rng) -> np.ndarray:
    """By night: dark, blue, flat and noisy."""
    grey = np.asarray(image.convert("L").filter(ImageFilter.BoxBlur(image.width / 160)), np.float32)
    level = 14 + 0.3 * f.light * grey
    pixels = level[..., None] * np.array((0.62, 0.8, 1.3), np.float32) + 7 * _normal((*grey.shape, 3), rng)
    return np.clip(pixels, 0, 255).astype(np.uint8)
