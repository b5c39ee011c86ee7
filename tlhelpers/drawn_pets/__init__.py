"""Cats and dogs, drawn from a seed: the data set that needs no download.

>>> from tlhelpers.drawn_pets import draw_pets
>>> pets = draw_pets(4, seed=0)
>>> pets.images.shape, [factors.breed for factors in pets.factors]
((4, 64, 64, 3), ['siamese', 'pug', 'persian', 'poodle'])
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlhelpers.drawn_pets.breeds import BREEDS, Breed
from tlhelpers.drawn_pets.factors import Factors, find_breed, sample_factors
from tlhelpers.drawn_pets.styles import STYLES, check_style, draw, draw_truth
from tlhelpers.errors import UnknownNameError, said

__all__ = [
    "BREEDS", "SPECIES", "STYLES", "Breed", "DrawnPets", "Factors", "draw", "draw_pets", "draw_truth", "sample_factors",
]  # fmt: skip

SPECIES = ("cat", "dog")


@dataclass(frozen=True)
class DrawnPets:
    """Drawings, what they show, and the factors they were drawn from."""

    images: np.ndarray  # (n, size, size, 3) uint8
    species: np.ndarray  # (n,) int64, index into SPECIES: 0 cat, 1 dog
    breeds: np.ndarray  # (n,) int64, index into BREEDS
    factors: tuple[Factors, ...]
    masks: np.ndarray | None = None  # (n, size, size) bool, see `draw_truth`; None where it was not asked for
    boxes: np.ndarray | None = None  # (n, 4) float32, the head's left, top, right, bottom; fractions of the side

    def __len__(self) -> int:
        return len(self.images)


def draw_pets(
    n: int,
    *,
    seed: int = 0,
    size: int = 64,
    style: str = "photo",
    breeds: Sequence[str] | None = None,
    factors: Mapping[str, object] | None = None,
    truth: bool = False,
) -> DrawnPets:
    """Draw `n` animals; the breeds take turns, and cats and dogs alternate.

    Image i depends on the seed, i, the size and the style, and not on `n`. Its factors do not depend on size and
    style either: the same animals can be had as photos, sketches and by night.

    Args:
        n: how many.
        seed: another seed gives other animals.
        size: side of the pictures in pixels.
        style: one of `STYLES`.
        breeds: names of the breeds to draw, in their turn; all when None.
        factors: factors to hold fixed in all drawings, such as `{"pose": "head", "occlusion": 0.0}`.
        truth: whether to return the animals' masks and the boxes of their heads as well.

    Raises:
        UnknownNameError: no such breed, style or factor.
        ValueError: a number out of range, or no breed.
    """
    check_style(style)
    if n < 0 or size < 16:
        raise ValueError(f"expected n of at least 0 and size of at least 16 pixels, got n={n} and size={size}")
    chosen = [find_breed(name) for name in (BREEDS if breeds is None else breeds)]
    if not chosen:
        raise ValueError("expected at least one breed, got an empty list; leave breeds out to draw all of them")
    fixed = dict(factors or {})
    known = [field.name for field in dataclasses.fields(Factors)]
    for name in fixed:
        if name not in known:
            raise UnknownNameError(said("factor", "factor del dibujo"), name, known)
    numbers = {breed.name: k for k, breed in enumerate(BREEDS)}
    images, drawn = np.empty((n, size, size, 3), np.uint8), []
    masks, boxes = (np.empty((n, size, size), bool), np.empty((n, 4), np.float32)) if truth else (None, None)
    for i in range(n):
        sampled = sample_factors(chosen[i % len(chosen)], np.random.default_rng((seed, i)))
        drawn.append(dataclasses.replace(sampled, **fixed))
        images[i] = draw(drawn[i], size, style)
        if truth:
            masks[i], boxes[i] = draw_truth(drawn[i], size)
    species = np.array([SPECIES.index(f.species) for f in drawn], np.int64)
    return DrawnPets(images, species, np.array([numbers[f.breed] for f in drawn], np.int64), tuple(drawn), masks, boxes)
