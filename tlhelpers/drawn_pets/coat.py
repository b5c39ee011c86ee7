"""Coats: pictures of fur with markings, out of which the parts of the animal are cut."""

import math

import numpy as np
from PIL import Image, ImageDraw

from tlhelpers.drawn_pets.factors import Colour, Factors
from tlhelpers.drawn_pets.shapes import Pen, ellipse, mirrored, mix, ruffle, smooth, stroke

Box = tuple[float, float, float, float]  # left, top, right, bottom, in radii of the skull


def muzzle_colour(f: Factors) -> Colour:
    """The colour around nose and mouth."""
    return {
        "points": mix(f.coat, f.second, 0.62 if f.species == "cat" else 1.0),
        "saddle": mix(f.coat, f.second, 0.6),
        "tuxedo": f.third,
        "husky": f.third,
        "beagle": f.third,
        "patches": f.coat,
        "spots": f.third,
    }.get(f.marking, mix(f.coat, f.third, 0.6))


def ear_colour(f: Factors, side: int) -> Colour:
    """The colour of an ear, `side` -1 or 1."""
    if f.marking == "patches":
        return f.second if side < 0 else f.third
    if f.marking == "points" or (f.marking == "spots" and f.detail_seed % 3 == 0 and side < 0):
        return f.second
    if f.marking == "saddle":
        return mix(f.coat, f.second, 0.6)
    return mix(f.coat, f.second, 0.25) if f.marking == "plain" else f.coat


def limb_colour(f: Factors) -> Colour:
    """The colour of legs and paws."""
    return {"points": f.second, "tuxedo": f.third, "husky": f.third, "beagle": f.third}.get(f.marking, f.coat)


def tail_colour(f: Factors) -> Colour:
    """The colour of the tail."""
    return f.second if f.marking in ("points", "saddle", "patches") else f.coat


def head_coat(f: Factors, pen: Pen, side: int, rng: np.random.Generator) -> Image.Image:
    """A picture of `side` pixels, out of which the head is cut."""
    coat, draw, pen = _cloth(f, pen, side)
    middle = 0.55 * math.sin(f.yaw)  # where the line between the eyes lies when the head is turned
    blaze = [(0.0, -1.0), (0.1, -0.6), (0.14, -0.1), (0.5, 0.35), (0.7, 0.8), (0.4, 1.4), (0.0, 1.5)]
    if f.marking == "points":
        wide, depth = (0.52, 0.85) if f.species == "cat" else (0.75, 1.0)
        for size, share in ((1.0, 0.3 * depth), (0.75, 0.7 * depth)):
            pen.fill(draw, ellipse(middle, 0.32, wide * size, 0.8 * size), mix(f.coat, f.second, share))
    elif f.marking == "tuxedo":
        width = rng.uniform(0.3, 1.0)
        pen.fill(draw, smooth(mirrored(blaze)) * (width, 1) + (middle, 0.1 + 0.4 * rng.random()), f.third)
    elif f.marking == "beagle":
        pen.fill(draw, smooth(mirrored(blaze)) * (rng.uniform(0.6, 0.9), 1) + (middle, 0), f.third)
    elif f.marking == "husky":
        pen.fill(draw, ellipse(middle, 0.6, 1.2, 0.62), f.third)
        for eye in (-0.36, 0.36):
            pen.fill(draw, ellipse(middle + eye, -0.28, 0.2, 0.26), f.third)
    elif f.marking == "saddle":
        pen.fill(draw, ellipse(middle, -0.8, 0.6, 0.4), mix(f.coat, f.second, 0.6))
        pen.fill(draw, ellipse(middle, 0.6, 0.6, 0.7), mix(f.coat, f.second, 0.6))
    elif f.marking == "tabby":
        _tabby_face(f, draw, pen, middle, rng)
    elif f.marking == "patches":
        for x, colour in ((-0.75, f.second), (0.75, f.third)):
            if rng.random() < 0.8:
                blob = ruffle(ellipse(x + middle, -0.45, 0.62, rng.uniform(0.4, 0.8)), 0.08, rng)
                pen.fill(draw, smooth(blob), colour)
    elif f.marking == "spots":
        _spots(f, draw, pen, (-1.1, -1.0, 1.1, 0.9), 14, 0.09, rng)
        if f.species == "cat":
            _tabby_face(f, draw, pen, middle, rng)
    return coat.resize((side, side), Image.Resampling.BILINEAR)


def body_coat(f: Factors, pen: Pen, side: int, box: Box, rng: np.random.Generator) -> Image.Image:
    """A picture of `side` pixels, out of which the trunk is cut; `box` is where the trunk lies."""
    coat, draw, pen = _cloth(f, pen, side)
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if f.marking == "tabby":
        for x in np.arange(left, right, 0.38) + rng.uniform(-0.06, 0.06):
            lean = rng.uniform(-0.15, 0.15)
            stripe = [(x, top), (x + lean + 0.1, top + 0.3 * height), (x + lean, top + 0.7 * height)]
            pen.fill(draw, stroke(stripe, (0.16, 0.14, 0.04)), f.second)
    elif f.marking == "patches":
        for k in range(6):
            x, y = left + width * rng.random(), top + height * rng.random()
            blob = ruffle(ellipse(x, y, rng.uniform(0.35, 0.8), rng.uniform(0.3, 0.6)), 0.1, rng)
            pen.fill(draw, smooth(blob), f.second if k % 2 else f.third)
    elif f.marking == "spots":
        _spots(f, draw, pen, box, int(9 * width * height) // 2, 0.14, rng)
    elif f.marking in ("saddle", "beagle"):
        pen.fill(draw, ellipse(left + 0.55 * width, top + 0.15 * height, 0.5 * width, 0.5 * height), f.second)
    if f.marking in ("tuxedo", "husky", "beagle"):
        pen.fill(draw, ellipse(0, top + 0.45 * height, 0.5, 0.55 * height), f.third)
        pen.fill(draw, ellipse(left + 0.5 * width, bottom, 0.5 * width, 0.22 * height), f.third)
    elif f.marking in ("plain", "points", "saddle"):
        pen.fill(draw, ellipse(0, top + 0.4 * height, 0.42, 0.5 * height), mix(f.coat, f.third, 0.4))
    return coat.resize((side, side), Image.Resampling.BILINEAR)


def _cloth(f: Factors, pen: Pen, side: int) -> tuple[Image.Image, ImageDraw.ImageDraw, Pen]:
    """A picture of half the size, since enlarging it gives markings the soft edges of fur, and a pen for it."""
    coat = Image.new("RGB", (side // 2, side // 2), f.coat)
    return coat, ImageDraw.Draw(coat), pen.halved()


def _tabby_face(f: Factors, draw, pen: Pen, middle: float, rng) -> None:
    """The M on the forehead and the lines on the cheeks."""
    for x, y in ((-0.42, -0.3), (-0.17, -0.45), (0.17, -0.45), (0.42, -0.3)):
        line = [(0.8 * x + middle, -1.0), (x + middle, -0.7), (x + middle * 1.1, y)]
        pen.fill(draw, stroke(line, (0.13, 0.12, 0.05)), f.second)
    for s in (-1, 1):
        for y in (0.05, 0.3):
            line = [(s * 1.25, y - 0.12), (s * 0.9, y + 0.05), (s * 0.62 + middle, y)]
            pen.fill(draw, stroke(line, (0.13, 0.11, 0.03)), f.second)
    pen.fill(draw, ellipse(middle, 0.55, 0.45, 0.4), mix(f.coat, f.third, 0.6))


def _spots(f: Factors, draw, pen: Pen, box: Box, count: int, size: float, rng) -> None:
    left, top, right, bottom = box
    for x, y, a, b, angle in rng.random((count, 5)).tolist():
        rx, ry = size * (0.5 + a), size * (0.5 + 0.6 * b)
        pen.fill(draw, ellipse(left + x * (right - left), top + y * (bottom - top), rx, ry, 3 * angle), f.second)
