"""Guards: short checks that find the usual mistakes of transfer learning before they cost a result.

Neutral ones stand here; `guards` of the two frameworks take snapshots of models.

>>> images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
>>> find_overlap(images[:2], images[1:], check_flips=False).exact
((1, 0),)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tlhelpers.errors import DatasetError, UnknownNameError

THUMBNAIL = 16  # side in pixels: a copy survives new compression, brightness and size at this scale


@dataclass(frozen=True)
class Overlap:
    """Pictures that two sets have in common.

    Attributes:
        exact: pairs (place in the first set, place in the second) of the same pixels.
        near: pairs that look the same, though their pixels differ: compressed anew, brightened, mirrored.
    """

    exact: tuple[tuple[int, int], ...]
    near: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.exact) + len(self.near)

    @property
    def second(self) -> np.ndarray:
        """Places in the second set that have a copy in the first, each once, ascending."""
        return np.unique([j for _, j in (*self.exact, *self.near)]).astype(np.int64)


def find_overlap(first, second, *, similarity: float = 0.95, check_flips: bool = True) -> Overlap:
    """Copies of pictures of one set in another, by content: names and files do not matter.

    Exact copies have the same pixels. Near copies are found by the correlation of their thumbnails of 16 pixels, in
    colour, each less its mean: that does not change with brightness and contrast, and hardly with compression, size or
    blur. It does change with a shift or a crop of more than a few percent, with rotation and with other colours: such
    copies pass unseen. Pictures of one colour have no thumbnail to compare and are found only where they are exact.

    Args:
        first: images `(n, h, w, 3)` uint8, or a `Dataset`.
        second: images `(m, h, w, 3)` uint8 of any size, or a `Dataset`.
        similarity: least correlation of near copies, above 0 and at most 1.
        check_flips: find mirrored copies too.

    Raises:
        ValueError: for other shapes or types, or a similarity out of range.
    """
    if not 0 < similarity <= 1:
        raise ValueError(f"expected a similarity above 0 and at most 1, got {similarity}")
    first, second = (_images_of(data) for data in (first, second))
    keys: dict[bytes, list[int]] = {}
    for i, image in enumerate(first):
        keys.setdefault(_key(image), []).append(i)
    exact = [(i, j) for j, image in enumerate(second) for i in keys.get(_key(image), ())]
    known, near = set(exact), []
    thumbnails = _thumbnails(first)
    for start in range(0, len(second), 512):
        block = second[start : start + 512]
        alike = thumbnails @ _thumbnails(block).T
        if check_flips:
            alike = np.maximum(alike, thumbnails @ _thumbnails(block[:, :, ::-1]).T)
        found = ((int(i), start + int(j)) for i, j in np.argwhere(alike >= similarity))
        near += [pair for pair in found if pair not in known]
    return Overlap(tuple(sorted(exact)), tuple(sorted(near)))


def check_no_overlap(train, test, *, similarity: float = 0.95, check_flips: bool = True) -> None:
    """Refuse two sets that share pictures, exactly or nearly; see `find_overlap`.

    Raises:
        DatasetError: pictures of `test` are in `train` as well; names the first few.
        ValueError: as `find_overlap`.
    """
    overlap = find_overlap(train, test, similarity=similarity, check_flips=check_flips)
    if not len(overlap):
        return
    pairs = [*overlap.exact, *overlap.near][:3]
    shown = "; ".join(f"{_name(train, i)} and {_name(test, j)}" for i, j in pairs)
    raise DatasetError(
        f"expected no picture in both sets, found {len(overlap.second)} pictures of the second that are in the first "
        f"({len(overlap.exact)} exact and {len(overlap.near)} near copies), such as {shown}. Keep copies on one side "
        "of the split, or leave them out."
    )


@dataclass(frozen=True)
class Movement:
    """How far training moved each layer, as ||after - before|| / ||before|| of its numbers; 0 is not at all.

    Attributes:
        weights: by layer, what an optimizer changes.
        statistics: by layer, the running means and variances of BatchNorm; layers without them are absent.
    """

    weights: dict[str, float]
    statistics: dict[str, float]

    @property
    def moved(self) -> tuple[str, ...]:
        """Layers whose weights moved."""
        return tuple(name for name, change in self.weights.items() if change > 0)

    @property
    def drifted(self) -> tuple[str, ...]:
        """Layers whose BatchNorm statistics moved."""
        return tuple(name for name, change in self.statistics.items() if change > 0)

    def summary(self, language: str = "en") -> str:
        """Two lines: which weights moved, and which statistics, with the relative change of each.

        Args:
            language: "en" or "es".
        """
        words = {
            "en": ("weights moved:", "BatchNorm statistics moved:", "none"),
            "es": ("pesos que han cambiado:", "estadísticas de BatchNorm que han cambiado:", "ninguno", "ninguna"),
        }
        if language not in words:
            raise UnknownNameError("language", language, words)
        lines = []
        for k, changes in enumerate((self.weights, self.statistics)):
            moved = ", ".join(f"{name} {change:.2g}" for name, change in changes.items() if change > 0)
            none = words[language][2:][k if language == "es" else 0]
            lines.append(f"{words[language][k]} {moved or none}")
        return "\n".join(lines)


Snapshot = dict[str, dict[str, np.ndarray]]  # "weights" and "statistics", each by "layer/name"


def compare_snapshots(before: Snapshot, after: Snapshot) -> Movement:
    """What moved between two snapshots of one model.

    Raises:
        ValueError: where they are not of the same model.
    """
    changes = []
    for kind in ("weights", "statistics"):
        if before[kind].keys() != after[kind].keys():
            other = sorted(before[kind].keys() ^ after[kind].keys())[:3]
            raise ValueError(f"expected two snapshots of one model; only one of them has {', '.join(other)}")
        squares: dict[str, np.ndarray] = {}
        for name, old in before[kind].items():
            step = np.asarray(after[kind][name], np.float64) - old
            layer = name.rpartition("/")[0]
            squares[layer] = squares.get(layer, 0) + np.array([np.sum(step**2), np.sum(np.square(old, dtype=float))])
        changes.append({layer: _ratio(*both) for layer, both in squares.items()})
    return Movement(*changes)


def check_only_moved(movement: Movement, allowed: Sequence[str] = ("head",)) -> None:
    """Refuse a training that moved weights or statistics of other layers than those that were meant to train.

    Args:
        movement: from `what_moved`.
        allowed: names of the layers that may move.

    Raises:
        ValueError: another layer moved, or nothing moved at all.
        UnknownNameError: the model has no layer of an allowed name.
    """
    for name in allowed:
        if name not in movement.weights:
            raise UnknownNameError("layer", name, movement.weights)
    strayed = [
        name for name in movement.weights if name in (*movement.moved, *movement.drifted) and name not in allowed
    ]
    if strayed:
        raise ValueError(f"expected only {', '.join(allowed)} to move, but so did {', '.join(strayed)}: "
                         "freeze before training, and let frozen BatchNorm layers keep their statistics")  # fmt: skip
    if not movement.moved:
        raise ValueError(f"expected {', '.join(allowed)} to move, but nothing did: does the optimizer know them?")


def check_first_loss(loss: float, num_classes: int, *, factor: float = 2.0) -> None:
    """Refuse a first loss far from that of an untrained head: the cross-entropy of guessing, ln(num_classes).

    A loss that is divided once too often is too small by the size of the batch (A. Karpathy, "A recipe for training
    neural networks", 2019: verify the loss at the start).

    Args:
        loss: mean cross-entropy of the first batch, in nats, before the first step.
        num_classes: of the head.
        factor: how many times larger or smaller it may be.

    Raises:
        ValueError: it is further off, or not a number.
    """
    if num_classes < 2 or factor <= 1:
        raise ValueError(f"expected num_classes >= 2 and factor > 1, got {num_classes} and {factor}")
    expected = math.log(num_classes)
    if not expected / factor <= loss <= expected * factor:
        raise ValueError(
            f"expected a first loss near ln({num_classes}) = {expected:.3g}, got {loss:.3g}, {loss / expected:.2g} "
            "times that. Too small: is a mean divided again? Too large: are the inputs scaled?"
        )


def check_reference(expected: np.ndarray, found: np.ndarray, *, tolerance: float = 0.02) -> None:
    """Refuse a deployment that answers otherwise than the model did when it was trained.

    Keep a few pictures and their probabilities beside the weights, and compare at every start: that finds another
    scaling, another order of the channels or another resizing, which no check of types and ranges can see.

    Args:
        expected: probabilities `(n, num_classes)` that were kept.
        found: those of now, for the same pictures.
        tolerance: largest allowed difference of a probability.

    Raises:
        ValueError: they differ by more, or in shape.
    """
    expected, found = np.asarray(expected), np.asarray(found)
    if expected.shape != found.shape:
        raise ValueError(f"expected probabilities of shape {expected.shape}, got {found.shape}")
    worst = float(np.abs(found - expected).max(initial=0))
    if not worst <= tolerance:
        raise ValueError(
            f"expected the probabilities that were kept, within {tolerance}; found a difference of {worst:.2g}. "
            "Are pictures read, resized and scaled as in training, channels red first?"
        )


def _images_of(data) -> np.ndarray:
    images = np.asarray(getattr(data, "images", data))
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"expected images of shape (n, h, w, 3) uint8, got {images.shape} {images.dtype}")
    return images


def _name(data, i: int) -> str:
    return str(data.ids[i]) if hasattr(data, "ids") else f"image {i}"


def _key(image: np.ndarray) -> bytes:
    return repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Small pictures as vectors of length 1, `(n, 768)` float32; those of one colour are zero."""
    size, how = (THUMBNAIL, THUMBNAIL), Image.Resampling.BOX
    small = [np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, how)) for image in images]
    flat = np.array(small, np.float32).reshape(len(images), 3 * THUMBNAIL**2)
    flat -= flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > 1, flat / np.maximum(length, 1), 0)


def _ratio(moved: float, size: float) -> float:
    return math.sqrt(moved) / math.sqrt(size) if size else math.sqrt(moved)
