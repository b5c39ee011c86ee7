"""Head, ears, muzzle and face: what tells a cat from a dog."""

import math

import numpy as np
from PIL import ImageDraw

from tlhelpers.drawn_pets.coat import ear_colour, head_coat, muzzle_colour
from tlhelpers.drawn_pets.factors import Factors
from tlhelpers.drawn_pets.shapes import Pen, Sheet, ellipse, mirrored, mix, ruffle, smooth, stroke

EAR, HEAD, FLAP, SNOUT = 150, 175, 195, 200  # heights
STANDING = ("pointed", "prick")  # these ears stand up, the others hang
DARK, PINK, TONGUE = (34, 26, 26), (205, 140, 132), (214, 104, 112)


def turned(f: Factors, x: float, y: float, depth: float) -> tuple[float, float]:
    """Where a point of the head is seen when the head is turned by its yaw; `depth` is towards the viewer."""
    return x * math.cos(f.yaw) + depth * math.sin(f.yaw), y


def draw_head(f: Factors, sheet: Sheet, pen: Pen, rng: np.random.Generator) -> None:
    """Put head, ears and muzzle on the sheet."""
    standing = f.ear in STANDING
    if standing:
        _ears(f, sheet, pen, rng)
    half = [
        (0, -0.9),
        (0.5 * f.cheek, -0.83),
        (0.88 * f.cheek, -0.42),
        (f.cheek, 0.1),
        (f.jaw, 0.6),
        (0.5 * f.jaw, f.chin - 0.06),
        (0, f.chin),
    ]
    outline = smooth(mirrored(half))
    sheet.cut(pen, ruffle(outline, 0.015 + 0.08 * f.fur, rng), head_coat(f, pen, sheet.side, rng), HEAD)
    if f.curl:
        top = ellipse(0, -0.75, 0.72 * f.cheek, 0.5)
        sheet.shape(pen, ruffle(top, 0.1, rng), f.coat, HEAD + 5)
    _muzzle(f, sheet, pen)
    if not standing:
        _ears(f, sheet, pen, rng)


# The right ear by kind: corners of an ear of size 0 on a head of half-width 1, and how far each sinks as the ear grows.
_EARS = {
    "pointed": ([(0.18, -0.74), (0.5, -0.95), (0.76, -0.65), (0.98, -0.25)], [0, -0.45, -1, 0]),
    "prick": ([(0.2, -0.7), (0.42, -0.8), (0.68, -0.62), (0.9, -0.7), (0.92, -0.35)], [0, -0.3, -0.75, 0, 0]),
    "drop": (
        [(0.5, -0.82), (1.0, -0.75), (1.32, -0.2), (1.36, -0.7), (1.1, -0.6), (0.86, -0.7), (0.84, -0.2)],
        [0, 0, 0, 1.25, 1.45, 1.1, 0],
    ),
    "semi": ([(0.38, -0.84), (0.85, -0.86), (1.12, -0.5), (1.0, -0.72), (0.74, -0.5)], [0, 0, 0, 1, 0]),
}


def _ears(f: Factors, sheet: Sheet, pen: Pen, rng) -> None:
    base, growth = _EARS[f.ear]
    corners = np.array(base)
    corners[:, 1] += np.array(growth) * f.ear_size
    hanging = f.ear not in STANDING
    for s in (-1, 1):
        # the ear on the far side of a turned head is seen narrower
        width = s * f.cheek * (1 - 0.12 * s * math.sin(f.yaw))
        seen = corners * (width, 1) - (0.12 * math.sin(f.yaw), 0)
        outline = smooth(seen) if hanging else _corners(seen)
        colour = mix(ear_colour(f, s), (0, 0, 0), 0.25 if hanging else 0.0)
        tufted = ruffle(outline, 0.01 + 0.07 * f.fur, rng)
        sheet.shape(pen, tufted, colour, FLAP if hanging else EAR)
        if not hanging:
            inner = outline * 0.62 + seen.mean(0) * 0.38 + (0, 0.06)
            lining = PINK if f.species == "cat" else DARK
            sheet.shape(pen, inner, mix(colour, lining, 0.65), EAR - 25)


def _corners(points: np.ndarray) -> np.ndarray:
    """An outline that bends less than a smooth one: an ear with a tip."""
    return 0.6 * smooth(points) + 0.4 * np.concatenate(
        [np.linspace(a, b, 6, endpoint=False) for a, b in zip(points, np.roll(points, -1, 0), strict=True)]
    )


def _tip(f: Factors) -> tuple[float, float]:
    """The middle of the front of the muzzle."""
    depth = 0.75 + f.muzzle * 0.75
    return turned(f, 0, 0.4 + 0.36 * f.muzzle, depth)


def _muzzle(f: Factors, sheet: Sheet, pen: Pen) -> None:
    colour = muzzle_colour(f)
    x, y = _tip(f)
    w = f.muzzle_width
    if f.mouth:
        drop = f.mouth * 0.3
        sheet.shape(
            pen, ellipse(x * 0.9, y + 0.55 * w + drop, 0.75 * w, 0.5 * w + 0.2 * drop), mix(colour, DARK, 0.2), HEAD + 5
        )
        sheet.shape(pen, ellipse(x * 0.95, y + 0.45 * w + drop, 0.58 * w, 0.45 * w), (72, 28, 32), HEAD)
        if f.species == "dog":
            sheet.shape(pen, ellipse(x, y + 0.6 * w + 1.2 * drop, 0.34 * w, 0.5 * w + 0.5 * drop), TONGUE, SNOUT)
    if f.species == "cat":
        sheet.shape(pen, ellipse(*turned(f, 0, 0.68, 0.85), 0.24, 0.16), colour, SNOUT)
        for s in (-1, 1):
            sheet.shape(pen, ellipse(x + s * 0.45 * w, y + 0.02, 0.58 * w, 0.5 * w), colour, SNOUT + 8)
        return
    bridge = stroke([turned(f, 0, -0.35, 0.75), turned(f, 0, 0.1, 0.9), (x, y)], (0.4, 0.55, 1.5 * w))
    sheet.shape(pen, bridge, mix(f.coat, colour, 0.5), HEAD + 12)
    base = turned(f, 0, 0.4, 0.6)
    for k, size in enumerate((1.08, 1.04, 1.0)):
        a = k / 2
        spot = (base[0] + a * (x - base[0]), base[1] + a * (y - base[1]))
        sheet.shape(pen, ellipse(*spot, w * size, 0.82 * w * size), colour, SNOUT + 12 * k)


def draw_face(f: Factors, draw: ImageDraw.ImageDraw, pen: Pen) -> None:
    """Eyes, nose, mouth and whiskers, over the shaded animal."""
    _eyes(f, draw, pen)
    x, y = _tip(f)
    dark_face = sum(muzzle_colour(f)) < 240
    line = (14, 10, 10) if dark_face else mix(muzzle_colour(f), DARK, 0.75)
    w = f.muzzle_width
    if f.species == "cat":
        nose = mix(PINK, DARK, 0.7 if dark_face or f.detail_seed % 2 else 0.1)
        top = y - 0.3
        pen.fill(draw, smooth([(x - 0.15, top), (x + 0.15, top), (x + 0.05, top + 0.14), (x - 0.05, top + 0.14)]), nose)
        pen.line(draw, [(x, top + 0.14), (x, y + 0.04)], line, 0.04)
        for s in (-1, 1):
            pen.line(draw, [(x, y + 0.04), (x + s * 0.1, y + 0.15), (x + s * 0.26, y + 0.1)], line, 0.045)
    else:
        top = y - 0.5 * w
        nose = [(-0.25, -0.14), (0.25, -0.14), (0.16, 0.1), (0, 0.17), (-0.16, 0.1)]
        pen.fill(draw, smooth(nose) + np.array((x, top)), (22, 18, 20))
        pen.fill(draw, ellipse(x - 0.05, top - 0.08, 0.08, 0.03), (120, 116, 120))
        pen.line(draw, [(x, top + 0.15), (x, y + 0.38 * w)], line, 0.05)
        for s in (-1, 1):
            mouth = [(x, y + 0.38 * w), (x + s * 0.4 * w, y + 0.58 * w), (x * 0.8 + s * 0.9 * w, y + 0.36 * w)]
            pen.line(draw, mouth, line, 0.055)
    _whiskers(f, draw, pen, x, y)


def _eyes(f: Factors, draw, pen: Pen) -> None:
    size = f.eye_size
    cat = f.species == "cat"
    for s in (-1, 1):
        x, y = turned(f, s * (0.42 if cat else 0.37) * (0.5 + 0.5 * f.cheek), -0.02 if cat else -0.16, 0.55)
        slant = s * (-0.25 if cat else 0.12)
        narrow = 1 - 0.25 * max(0.0, s * math.sin(f.yaw))
        pen.fill(draw, ellipse(x, y, size * 1.2 * narrow, size * (0.92 if cat else 1.15), slant), DARK)
        pen.fill(draw, ellipse(x, y, size * narrow, size * 0.78, slant), f.eye_colour)
        pupil = 0.3 + 0.5 * (f.detail_seed % 7) / 7 if cat else 0.6
        pen.fill(draw, ellipse(x, y, size * pupil * narrow, size * 0.72), (12, 10, 12))
        pen.fill(draw, ellipse(x - 0.3 * size, y - 0.3 * size, 0.24 * size, 0.22 * size), (250, 250, 250))


def _whiskers(f: Factors, draw, pen: Pen, x: float, y: float) -> None:
    light = sum(f.coat) < 560
    colour = mix(muzzle_colour(f), (250, 248, 244) if light else (60, 54, 50), f.whiskers * 0.8)
    reach = 1.0 if f.species == "cat" else 0.3
    for s in (-1, 1):
        for k in (-1, 0, 1):
            start = (x + s * f.muzzle_width * 0.6, y + 0.06 * k)
            middle = (start[0] + s * 0.5 * reach, y + 0.16 * k * reach - 0.05)
            end = (start[0] + s * 0.95 * reach, y + 0.34 * k * reach + 0.02)
            pen.line(draw, [start, middle, end], colour, 0.02)
