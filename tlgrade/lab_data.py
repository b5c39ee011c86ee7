"""The folder with a lab's images that a box sees, and the labels of the hidden ones, which never enter one."""

import hashlib
import json
from pathlib import Path

import numpy as np

from tlhelpers.data.splits import Splits, hashed_order
from tlhelpers.lab.data import lab_splits, make_ids, species_of
from tlhelpers.lab.predictions import LabError
from tlhelpers.paths import atomic_path

DRAWN_A_BREED = 20  # hidden drawings of each breed


def write_lab_data(
    folder: Path,
    labels_file: Path,
    dataset: str,
    *,
    key: str,
    image_size: int,
    drawn_a_breed: int = DRAWN_A_BREED,
) -> dict[str, int]:
    """Writes the folder that the box sees and, somewhere else, the labels, which never enter a box.

    Args:
        folder: Gets the four files; made where it is not there. What it has of the same names is replaced.
        labels_file: Gets JSON, id to index of the breed.
        dataset: One of the lab's. Of drawn pets the hidden images are drawn anew, from `key`; of photos they are the
            official test part.
        key: A secret: ids, their order and the drawings follow from it, so the same key gives the same files. Take one
            that nobody finds by trying, such as `secrets.token_hex(16)`.
        image_size: Side of the images in pixels.
        drawn_a_breed: Hidden drawings of each breed.

    Returns:
        The labels as written.

    Raises:
        LabError: `labels_file` lies in `folder`.
        UnknownNameError: no such data set.
    """
    folder, labels_file = Path(folder), Path(labels_file)
    if folder.resolve() in labels_file.resolve().parents:
        raise LabError(f"expected the labels outside {folder}, which learners' code can read, came {labels_file}.")
    splits = lab_splits(dataset, image_size)
    images, breeds = _hidden_images(dataset, splits, key, image_size, drawn_a_breed)
    ids = make_ids(key, len(images))
    order = hashed_order(ids, f"order {key}")
    labels = {str(name): int(breeds[place]) for name, place in zip(ids, order, strict=True)}
    for part in ("train", "val"):
        data = getattr(splits, part)
        _save(folder / f"{part}.npz", images=data.images, labels=data.labels)
    _save(folder / "hidden.npz", images=images[order], ids=ids)
    names = splits.train.class_names
    about = {
        "breeds": list(names),
        "dataset": dataset,
        "image_size": image_size,
        "species": list(species_of(dataset, names)),
    }
    for path, content in ((folder / "classes.json", about), (labels_file, labels)):
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return labels


def _hidden_images(
    dataset: str, splits: Splits, key: str, size: int, drawn_a_breed: int
) -> tuple[np.ndarray, np.ndarray]:
    if dataset != "drawn_pets_breeds":
        return splits.test.images, splits.test.labels
    from tlhelpers.drawn_pets import draw_pets

    # From a digest: the public drawings have small seeds, and hidden ones that share one could be looked up.
    far = int(hashlib.sha256(f"drawings {key}".encode()).hexdigest()[:32], 16)
    pets = draw_pets(drawn_a_breed * len(splits.train.class_names), seed=far, size=size)
    return pets.images, pets.breeds


def _save(path: Path, **arrays: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)
