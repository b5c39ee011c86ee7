"""Trunk, legs and tail, in four poses. The head's centre is the origin; the animal looks ahead, or left."""

import numpy as np

from tlhelpers.drawn_pets.coat import Box, body_coat, limb_colour, tail_colour
from tlhelpers.drawn_pets.factors import Factors
from tlhelpers.drawn_pets.shapes import Pen, Sheet, ellipse, mirrored, mix, ruffle, smooth, stroke

TAIL, FAR, TRUNK, HAUNCH, LEG = 55, 65, 100, 118, 130  # heights


def draw_body(f: Factors, sheet: Sheet, pen: Pen, rng: np.random.Generator) -> None:
    """Put everything but the head on the sheet."""
    {"head": _shoulders, "sitting": _sitting, "lying": _lying, "standing": _standing}[f.pose](f, sheet, pen, rng)


def _trunk(f: Factors, sheet: Sheet, pen: Pen, outline: np.ndarray, box: Box, rng) -> None:
    coat = body_coat(f, pen, sheet.side, box, rng)
    sheet.cut(pen, ruffle(outline, 0.02 + 0.09 * f.fur, rng), coat, TRUNK)


def _leg(f: Factors, sheet: Sheet, pen: Pen, points, width: float, level: int = LEG) -> None:
    shade = 0.25 if level == FAR else 0.0
    upper, lower = mix(f.coat, (0, 0, 0), shade), mix(limb_colour(f), (0, 0, 0), shade)
    if f.curl:  # a clipped coat: slim legs with cuffs
        width *= 0.8
    sheet.shape(pen, stroke(points, np.linspace(width * 1.25, width * 0.85, len(points))), upper, level)
    (x0, y0), (x1, y1) = points[-2], points[-1]
    below = [((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1)]
    sheet.shape(pen, stroke(below, (width * 0.9, width * 0.85)), lower, level)
    if f.curl:
        sheet.shape(pen, ellipse(x1, y1 - 0.25, width * 0.75, width * 0.7), lower, level)
    sheet.shape(pen, ellipse(x1 - 0.05, y1, width * 0.62, 0.15), lower, level)


def _tail(f: Factors, sheet: Sheet, pen: Pen, x: float, y: float, rise: float, rng) -> None:
    """A tail from its root; `rise` says how high its tip goes."""
    colour = tail_colour(f)
    tip = f.third if f.marking in ("tuxedo", "husky", "beagle") else colour
    if f.tail == "curl":
        points = np.array([(0, 0), (0.25, -0.5), (0.0, -0.85), (-0.35, -0.75), (-0.3, -0.45)])
        widths = np.linspace(0.34, 0.26, 5) * (1 + 0.5 * f.fur)
    else:
        points = np.array([(0, 0), (0.5, -0.1 * rise), (0.85, -0.5 * rise), (0.8, -rise), (0.95, -1.25 * rise)])
        widths = {"thin": 0.2, "thick": 0.26, "bushy": 0.4, "pompon": 0.15}[f.tail] * np.array((1.1, 1, 1, 0.95, 0.7))
        if f.species == "dog":
            points, widths = points * (0.9, 0.75), widths * np.array((1.1, 1, 0.9, 0.75, 0.5))
        widths = widths * (1 + 0.5 * f.fur)
    points = points + np.array((x, y))
    sheet.shape(pen, ruffle(stroke(points, widths), 0.02 + 0.05 * f.fur, rng), colour, TAIL)
    sheet.shape(pen, stroke(points[-2:], widths[-2:]), tip, TAIL)
    if f.tail == "pompon":
        sheet.shape(pen, ruffle(ellipse(*points[-1], 0.3, 0.3), 0.06, rng), colour, TAIL)


def _shoulders(f: Factors, sheet: Sheet, pen: Pen, rng) -> None:
    wide = 0.88 if f.species == "cat" else 1.0
    half = [(0, 0.2), (0.62, 0.4), (1.0, 1.2), (1.4, 2.3), (1.6, 3.6), (0, 3.7)]
    _trunk(f, sheet, pen, smooth(mirrored(half)) * (wide, 1), (-1.5, 0.5, 1.5, 3.2), rng)


def _sitting(f: Factors, sheet: Sheet, pen: Pen, rng) -> None:
    tall, wide = (1.0, 1.0) if f.species == "cat" else (1.12, 0.92)
    _tail(f, sheet, pen, 0.75 * wide, 2.8 * tall, rng.uniform(0.3, 1.2), rng)
    half = [(0, 0.3), (0.5, 0.5), (0.7, 1.2), (0.92, 2.0), (1.0, 2.6), (0.7, 3.0), (0, 3.0)]
    _trunk(f, sheet, pen, smooth(mirrored(half)) * (wide, tall), (-1.1, 0.5, 1.1, 3.1 * tall), rng)
    for s in (-1, 1):
        haunch = ellipse(s * 0.78 * wide, 2.55 * tall, 0.36, 0.46)
        sheet.shape(pen, ruffle(haunch, 0.02 + 0.06 * f.fur, rng), f.coat, HAUNCH)
        sheet.shape(pen, ellipse(s * 0.85 * wide, 2.98 * tall, 0.3, 0.14), limb_colour(f), HAUNCH)
    for s in (-1, 1):
        _leg(f, sheet, pen, [(s * 0.3, 1.7 * tall), (s * 0.3, 2.4 * tall), (s * 0.31, 3.02 * tall)], 0.38)


def _lying(f: Factors, sheet: Sheet, pen: Pen, rng) -> None:
    _tail(f, sheet, pen, 3.5, 1.5, rng.uniform(-0.15, 0.25), rng)
    outline = [(-0.3, 0.5), (0.9, 0.3), (2.3, 0.25), (3.4, 0.6), (3.75, 1.25), (3.3, 1.75), (1.5, 1.8), (-0.1, 1.7)]
    _trunk(f, sheet, pen, smooth(outline), (-0.4, 0.3, 3.8, 1.8), rng)
    sheet.shape(pen, ruffle(ellipse(3.0, 1.2, 0.62, 0.55), 0.02 + 0.06 * f.fur, rng), f.coat, HAUNCH)
    _leg(f, sheet, pen, [(3.1, 1.62), (2.6, 1.72), (2.25, 1.74)], 0.3, HAUNCH)
    _leg(f, sheet, pen, [(1.0, 1.4), (0.3, 1.65), (-0.4, 1.7)], 0.36)
    _leg(f, sheet, pen, [(1.2, 1.5), (0.5, 1.8), (-0.1, 1.85)], 0.36)


def _standing(f: Factors, sheet: Sheet, pen: Pen, rng) -> None:
    ground = 2.75 if f.species == "cat" else 3.15
    tuck = 1.75 if f.species == "cat" else 1.5  # a dog's belly is drawn up
    _tail(f, sheet, pen, 3.75, 0.95, rng.uniform(0.5, 1.3), rng)
    _leg(f, sheet, pen, [(1.25, 1.5), (1.3, 2.1), (1.3, ground - 0.12)], 0.34, FAR)
    _leg(f, sheet, pen, [(3.2, 1.4), (3.2, 2.1), (3.05, ground - 0.12)], 0.34, FAR)
    outline = [
        (-0.1, 0.3),
        (0.9, 0.5),
        (2.4, 0.5),
        (3.7, 0.6),
        (3.98, 1.1),
        (3.65, 1.7),
        (2.6, tuck),
        (1.2, 1.9),
        (0.1, 1.5),
    ]
    _trunk(f, sheet, pen, smooth(outline), (-0.2, 0.4, 4.0, 1.9), rng)
    _leg(f, sheet, pen, [(0.75, 1.5), (0.72, 2.1), (0.75, ground)], 0.36)
    _leg(f, sheet, pen, [(3.5, 1.3), (3.75, 2.05), (3.6, ground)], 0.38)
