"""Smooth outlines and a pen that places them in the picture. Points are arrays `(n, 2)`, x to the right, y down."""

import copy
import functools
import math

import numpy as np
from PIL import Image, ImageDraw

_STEPS = 6  # points that a smooth outline gets between two of its corners


def _catmull_rom() -> np.ndarray:
    t = np.arange(_STEPS)[:, None] / _STEPS
    return 0.5 * np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3])


_WEIGHTS = _catmull_rom()
_CIRCLE = np.stack([f(np.arange(20) * (math.tau / 20)) for f in (np.cos, np.sin)], 1)


@functools.lru_cache
def _neighbours(n: int) -> np.ndarray:
    return (np.arange(n)[:, None] + (-1, 0, 1, 2)) % n


def smooth(points) -> np.ndarray:
    """The closed Catmull-Rom curve through the points, `(6 n, 2)`."""
    p = np.asarray(points, float)
    return (_WEIGHTS @ p[_neighbours(len(p))]).reshape(-1, 2)


def mirrored(right_half) -> np.ndarray:
    """A symmetric outline from its right half, given from the top down."""
    right = np.asarray(right_half, float)
    left = right[::-1] * (-1, 1)
    return np.concatenate([right, left[np.abs(left[:, 0]) > 1e-9]])


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    """Outline of an ellipse, turned by `angle` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return _CIRCLE * (rx, ry) @ np.array(((c, s), (-s, c))) + (x, y)


def stroke(points, widths) -> np.ndarray:
    """Outline of a line of changing width: a tail, a leg, a stripe."""
    p = np.asarray(points, float)
    ends = np.concatenate([p[:1], p, p[-1:]])
    dx, dy = (ends[2:] - ends[:-2]).T
    across = np.stack([-dy, dx], 1)
    half = across * (np.asarray(widths) / (2 * np.hypot(dx, dy) + 1e-9)).reshape(-1, 1)
    return smooth(np.concatenate([p + half, (p - half)[::-1]]))


def ruffle(outline: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """The outline with tufts of fur: each point moved away from the middle, or towards it, by up to `amount`."""
    outward = outline - outline.mean(0)
    outward /= np.hypot(*outward.T)[:, None] + 1e-9
    return outline + outward * ((rng.random(len(outline)) - 0.4) * (2 * amount))[:, None]


class Pen:
    """Draws in units of the skull's radius, with the origin at the centre of the skull."""

    def __init__(self, x: float, y: float, radius: float, angle: float = 0.0, flip: bool = False):
        """`x`, `y` and `radius` in pixels, `angle` in radians; with `flip` the drawing is mirrored first."""
        c, s = radius * math.cos(angle), radius * math.sin(angle)
        self.matrix = np.array(((-c, -s), (-s, c)) if flip else ((c, s), (-s, c)))
        self.origin = (x, y)
        self.radius = radius

    def halved(self) -> "Pen":
        """The same pen for a picture of half the size."""
        pen = copy.copy(self)
        pen.matrix, pen.origin, pen.radius = self.matrix / 2, (self.origin[0] / 2, self.origin[1] / 2), self.radius / 2
        return pen

    def place(self, points) -> list[float]:
        """The points in pixels, as the flat list x0, y0, x1, y1, ... that Pillow takes fastest."""
        return (np.asarray(points) @ self.matrix + self.origin).ravel().tolist()

    def fill(self, draw: ImageDraw.ImageDraw, outline, colour) -> None:
        """Fill an outline with one colour."""
        draw.polygon(self.place(outline), fill=colour)

    def line(self, draw: ImageDraw.ImageDraw, points, colour, width: float) -> None:
        """A line of `width` radii, at least one pixel."""
        draw.line(self.place(points), fill=colour, width=max(1, round(width * self.radius)), joint="curve")


class Sheet:
    """A colour picture and a picture of heights (0 where there is no animal) of `side` pixels."""

    def __init__(self, side: int):
        self.side = side
        self.colour = Image.new("RGB", (side, side))
        self.height = Image.new("L", (side, side))
        self._paint = ImageDraw.Draw(self.colour)
        self._relief = ImageDraw.Draw(self.height)

    def shape(self, pen: Pen, outline: np.ndarray, colour, level: int) -> None:
        """Put a part of one colour on the sheet, `level` (0 to 255) high."""
        points = pen.place(outline)
        self._paint.polygon(points, fill=colour)
        self._relief.polygon(points, fill=level)

    def cut(self, pen: Pen, outline: np.ndarray, coat: Image.Image, level: int) -> None:
        """Put a part on the sheet that is cut out of the picture `coat`."""
        mask = Image.new("L", (self.side, self.side))
        points = pen.place(outline)
        ImageDraw.Draw(mask).polygon(points, fill=255)
        self.colour.paste(coat, mask=mask)
        self._relief.polygon(points, fill=level)


def mix(a, b, share: float) -> tuple[int, int, int]:
    """The colour `a` with a `share` (0 to 1) of the colour `b`."""
    return tuple(int(p + (q - p) * share) for p, q in zip(a, b, strict=True))
