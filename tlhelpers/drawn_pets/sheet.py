"""The animal apart from its surroundings: its colours, and its heights, from which the light on it is reckoned."""

import numpy as np
from PIL import Image, ImageDraw

from tlhelpers.drawn_pets.shapes import Pen


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
