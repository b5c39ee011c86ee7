"""Whether a folder of photos has enough for a lesson. What the lesson does with fewer, it says at its start."""

from pathlib import Path

import numpy as np

from tlhelpers.data.datasets import NAMES, load_splits
from tlhelpers.errors import DatasetError, said
from tlhelpers.metrics import wilson_interval

LEAST = 8  # photos of each class; of fewer a split leaves one or two to learn from
LEAST_TO_LEARN = 3  # of them, which a lesson divides once more, to know when to stop


def labels_for(dataset: str | Path, labels: list[int], **how) -> list[int]:
    """How many labelled images of each class a lesson takes; of a folder of photos also prints what there is.

    Args:
        dataset: As for `load_splits`. Of a data set with a name a lesson gets what it asks for.
        labels: What it asks for; where it compares many labels with few, the many first.
        how: How the lesson calls `load_splits`.

    Returns:
        As many numbers as `labels`: not more than the training part has, and where they had to be cut, the second at
        most half of the first, so that there is still something to compare.

    Raises:
        DatasetError: a class has fewer than `LEAST` photos, or fewer than `LEAST_TO_LEARN` in its training part.
    """
    if str(dataset) in NAMES:
        return labels
    data = load_splits(dataset, progress=False, **how)
    names = data.train.class_names
    train, val, test = (np.bincount(part.labels, minlength=len(names)) for part in (data.train, data.val, data.test))
    photos = train + val + test
    wholes = ("that can be used", "que se puedan usar"), ("to learn from", "para aprender")
    for counts, least, (en, es) in zip((photos, train), (LEAST, LEAST_TO_LEARN), wholes, strict=True):
        scarce = int(counts.argmin())
        if counts[scarce] < least:
            name, came, most = names[scarce], counts[scarce], how.get("max_per_class")
            cut = " (no more are taken than the parameter says)", " (no se toman más de las que dice el parámetro)"
            more = said(*cut) if most == came else ""
            raise DatasetError(
                said(
                    f"The lessons need at least {least} photos of each class {en}, and {name!r} has {came}"
                    f"{more}. Add photos to it, or take its folder away.",
                    f"Las lecciones necesitan al menos {least} fotos de cada clase {es}, y {name!r} tiene {came}"
                    f"{more}. Añádale fotos o quite su carpeta.",
                )
            )
    few, every = int(train.min()), [_range(part) for part in (photos, train, val, test)]
    half = 100 * (wilson_interval(0.5, int(test.sum())).high - 0.5)
    print(
        said(
            f"Your photos: {photos.sum()} in {len(names)} classes, {every[0]} of each. Of each class {every[1]} are to "
            f"learn from, {every[2]} for validation, {every[3]} for testing. An accuracy measured on {test.sum()} "
            f"photos is uncertain by up to ± {half:.0f} points: the intervals show it.",
            f"Sus fotos: {photos.sum()} en {len(names)} clases, {every[0]} de cada una. De cada clase, {every[1]} son "
            f"para aprender, {every[2]} para validar y {every[3]} para probar. Una exactitud medida con {test.sum()} "
            f"fotos es incierta en hasta ± {half:.0f} puntos: lo muestran los intervalos.",
        )
    )
    if data.manifest.left_out:
        print(data.manifest.summary(said("en", "es")))
    taken = [min(n, few) for n in labels]
    if taken != labels:
        taken[1:] = [min(n, (taken[0] + 1) // 2) for n in taken[1:]]
        asked, used = (said(" and ", " y ").join(map(str, numbers)) for numbers in (labels, taken))
        needed = -(-labels[0] * int(photos.min()) // few)
        print(
            said(
                f"The lesson asks for {asked} labelled photos of each class, for which a folder needs about {needed} "
                f"of each. With yours it takes {used}. Its repetitions then share nearly all their photos, so they "
                "differ less than with new ones.",
                f"La lección pide {asked} fotos etiquetadas de cada clase; para eso, una carpeta necesita unas "
                f"{needed} de cada una. Con las suyas toma {used}. Sus repeticiones comparten entonces casi todas las "
                "fotos, así que difieren menos que con otras nuevas.",
            )
        )
    print(
        said(
            "What the lesson claims was measured on the course's own data. With yours each claim is shown beside your "
            "number, and nothing stops where the two differ.",
            "Lo que la lección afirma se midió con los datos del curso. Con los de usted, cada afirmación se muestra "
            "junto a su número, y nada se detiene donde no coincidan.",
        )
    )
    return taken


def _range(counts: np.ndarray) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else said(f"{low} to {high}", f"de {low} a {high}")
