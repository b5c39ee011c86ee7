"""Labelled images, and their division into training, validation and test: stratified, seeded, the same everywhere.

Every choice sorts ids by a hash of the seed and the id. So it depends neither on the machine, nor on the order of
files, nor on a library's random numbers; and an image more in a folder hardly moves the others.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tlhelpers.data.audit import Manifest
from tlhelpers.errors import DatasetError, said


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images.

    Attributes:
        name: Such as "cats_vs_dogs (train)".
        images: Shape `(n, size, size, 3)` uint8; may be a read-only memory map.
        labels: Shape `(n,)` int64, indices into `class_names`.
        class_names: One name per class.
        ids: Shape `(n,)`, strings such as "Cat/12.jpg", the same on every machine.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        size = f"{self.images.shape[2]}×{self.images.shape[1]}"
        names = ", ".join(self.class_names[:4]) + (", ..." if len(self.class_names) > 4 else "")
        count = len(self.class_names)
        what = said(f"images of {size}, {count} classes", f"imágenes de {size}, {count} clases")
        return f"Dataset({self.name!r}, {len(self)} {what}: {names})"

    def take(self, indices: Sequence[int] | np.ndarray) -> "Dataset":
        """The images at these places, in this order.

        Args:
            indices: Shape `(m,)`, integers; or booleans of shape `(n,)`.
        """
        indices = np.asarray(indices, None if len(indices) else np.int64)
        images = np.asarray(self.images[indices])
        return replace(self, images=images, labels=self.labels[indices], ids=self.ids[indices])

    def per_class(self, n: int, seed: int = 0) -> "Dataset":
        """As many images of each class, chosen by the seed; with the same seed, fewer are a part of more.

        Args:
            n: Images per class, at least 1.
            seed: Another seed chooses others.

        Raises:
            DatasetError: a class has fewer.
        """
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        if not 1 <= n <= counts.min():
            scarce = self.class_names[int(counts.argmin())]
            raise DatasetError(
                said(
                    f"{n} images of each class were asked for, and {self.name} has {counts.min()} of {scarce!r}. "
                    f"Ask for 1 to {counts.min()}.",
                    f"Se pidieron {n} imágenes por clase, y {self.name} tiene {counts.min()} de {scarce!r}. "
                    f"Pida de 1 a {counts.min()}.",
                )
            )
        order = np.array(hashed_order(self.ids, f"per class {seed}"))
        chosen = [order[self.labels[order] == label][:n] for label in range(len(self.class_names))]
        # One of each class in turn: batches are balanced even where nobody shuffles.
        return self.take(np.stack(chosen, axis=1).ravel())


@dataclass(frozen=True, eq=False)
class Splits:
    """Three data sets without an image in common, and what became of all files of the archive."""

    train: Dataset
    val: Dataset
    test: Dataset
    manifest: Manifest

    def first_classes(self, n: int) -> "Splits":
        """The images of the first `n` classes, for a lesson that is about no more; says which."""
        names = self.train.class_names
        if len(names) <= n:
            return self
        taken = ", ".join(names[:n])
        print(
            said(
                f"This lesson is about {n} classes. It takes {taken}, and leaves out {len(names) - n} more.",
                f"Esta lección trata de {n} clases. Toma {taken} y omite {len(names) - n} más.",
            )
        )
        parts = [replace(d.take(d.labels < n), class_names=names[:n]) for d in (self.train, self.val, self.test)]
        return Splits(*parts, self.manifest)


def hashed_order(ids: Sequence[str], salt: str) -> list[int]:
    """The places of `ids` in an order that looks random and depends on nothing but the ids and the salt."""
    hashes = [hashlib.sha256(f"{salt}\0{name}".encode()).digest() for name in ids]
    return sorted(range(len(ids)), key=hashes.__getitem__)


def divide(
    ids: Sequence[str],
    labels: Sequence[int],
    class_names: Sequence[str],
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    max_per_class: int | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, list[int]]:
    """Divides images class by class, so that every part has the classes in the same proportion, to one image.

    Args:
        ids: Names of the images, each once.
        labels: Class of each, an index into `class_names`.
        class_names: For messages.
        seed: Another seed divides otherwise.
        test_fraction: Of all images, 0 to 1; each class gives at least one. Without effect where the part is given.
        val_fraction: Likewise; where another part is given, the fraction of the training part.
        max_per_class: Images of each class to use at all, chosen by the seed; None for all. Given parts keep their
            proportions.
        given: For each id "train", "val" or "test", where the publisher has fixed parts. What is missing of "val" and
            "test" is split off "train".

    Returns:
        The places of the images of "train", "val" and "test" in `ids`.

    Raises:
        DatasetError: a fraction is out of range, or a class has too few images.
    """
    if not (0 < test_fraction < 1 and 0 < val_fraction < 1 and test_fraction + val_fraction < 1):
        raise DatasetError(
            said(
                "test_fraction and val_fraction should be above 0 and together below 1, so that something is left to "
                f"train on; they are {test_fraction} and {val_fraction}.",
                "test_fraction y val_fraction deberían ser mayores que 0 y sumar menos de 1, para que quede con qué "
                f"entrenar; son {test_fraction} y {val_fraction}.",
            )
        )
    given = given or {}
    fixed = {"val", "test"} & set(given.values())
    if max_per_class is not None and max_per_class < 3:
        raise DatasetError(
            said(
                "max_per_class should be at least 3, one image for each of training, validation and test; it is "
                f"{max_per_class}. None uses all images.",
                "max_per_class debería ser al menos 3, una imagen para entrenar, otra para validar y otra para probar; "
                f"es {max_per_class}. Con None se usan todas las imágenes.",
            )
        )
    order = hashed_order(ids, f"split {seed}")
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for label, name in enumerate(class_names):
        mine = [i for i in order if labels[i] == label]
        pools = {part: [i for i in mine if given.get(ids[i], "train") == part] for part in parts}
        pools = _cap(pools, max_per_class)
        for part in fixed:
            _check_enough(len(pools[part]), 1, name, part)
        least = 3 - len(fixed)
        _check_enough(len(pools["train"]), least, name, ", ".join(["train", *sorted({"val", "test"} - fixed)]))
        whole = len(pools["train"])
        for part, fraction in (("test", test_fraction), ("val", val_fraction)):
            if part not in fixed:
                least -= 1
                n = min(max(int(fraction * whole + 0.5), 1), len(pools["train"]) - least)
                pools[part], pools["train"] = pools["train"][:n], pools["train"][n:]
        for part, chosen in pools.items():
            parts[part] += chosen
    place = {i: at for at, i in enumerate(order)}  # classes mixed again
    return {name: sorted(part, key=place.__getitem__) for name, part in parts.items()}


def make_splits(
    name: str,
    manifest: Manifest,
    ids: Sequence[str],
    labels: Sequence[int],
    class_names: Sequence[str],
    pick: Callable[[np.ndarray], np.ndarray],
    **how,
) -> Splits:
    """The three data sets, as `divide` divides them with the arguments `how`; `pick` gives the images at some places.

    Raises:
        DatasetError: as `divide`.
    """
    parts = divide(ids, labels, class_names, **how)
    ids, labels = np.array(ids, dtype=str), np.array(labels, np.int64)

    def make(part: str) -> Dataset:
        places = np.array(parts[part], np.int64)
        return Dataset(f"{name} ({part})", pick(places), labels[places], tuple(class_names), ids[places])

    return Splits(make("train"), make("val"), make("test"), manifest)


def _check_enough(came: int, least: int, class_name: str, purpose: str) -> None:
    if came < least:
        raise DatasetError(
            said(
                f"Class {class_name!r} has too few images to split: {came} for {purpose}, and at least {least} are "
                "needed. Add images to it, leave the class away, or raise max_per_class where it is set.",
                f"La clase {class_name!r} tiene muy pocas imágenes para repartirlas: {came} ({purpose}), y hacen falta "
                f"al menos {least}. Añádale imágenes, prescinda de la clase o suba max_per_class si está puesto.",
            )
        )


def _cap(pools: dict[str, list[int]], most: int | None) -> dict[str, list[int]]:
    """At most so many images of a class in all, each part in proportion, and one at least of each that has any."""
    total = sum(map(len, pools.values()))
    if most is None or total <= most:
        return pools
    left, capped = most, {}
    for part in ("test", "val"):
        n = min(max(round(most * len(pools[part]) / total), 1), left - (2 if part == "test" else 1))
        capped[part] = pools[part][:n]
        left -= len(capped[part])
    return {"train": pools["train"][:left], **capped}
