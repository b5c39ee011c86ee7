"""The lab's images: what learners get, and what a grader writes for the box in which their notebooks run.

A lab's folder has `train.npz` and `val.npz` (`images`, `labels`), `hidden.npz` (`images`, `ids`: no label, shuffled)
and `classes.json`. Learners have no such folder: for them the same is made from the public data set, and the images to
predict are its test part.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlhelpers.data.datasets import load_splits
from tlhelpers.data.splits import Dataset, Splits, hashed_order
from tlhelpers.errors import UnknownNameError
from tlhelpers.lab.predictions import LabError
from tlhelpers.paths import atomic_path

DATASETS = ("drawn_pets_breeds", "oxford_pets_breeds")
VAL_FRACTION = 0.2  # of each breed, at least one image
SPLIT_SEED = 0  # learners and graders train on the same images
DRAWN_A_BREED = 20  # hidden drawings of each breed
ID_LENGTH = 16
# The data set's twelve breeds of cats (Parkhi, Vedaldi, Zisserman and Jawahar, "Cats and Dogs", CVPR 2012).
OXFORD_CATS = (
    "Abyssinian", "Bengal", "Birman", "Bombay", "British Shorthair", "Egyptian Mau", "Maine Coon", "Persian", "Ragdoll",
    "Russian Blue", "Siamese", "Sphynx",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class HiddenImages:
    """Images whose breed is not told.

    Attributes:
        images: Shape `(n, size, size, 3)` uint8.
        ids: Shape `(n,)`, strings of 16 hexadecimal characters that tell nothing.
    """

    images: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class LabData:
    """What a lab's notebook works with.

    Attributes:
        dataset: One of `DATASETS`.
        image_size: Side of all images in pixels.
        train: Labelled images to learn from.
        val: Labelled images to choose with.
        hidden: Images to predict.
        class_names: The breeds.
        species: "cat" or "dog" for each breed.
        language: Of messages, "en" or "es".
    """

    dataset: str
    image_size: int
    train: Dataset
    val: Dataset
    hidden: HiddenImages
    class_names: tuple[str, ...]
    species: tuple[str, ...]
    language: str = "en"

    @property
    def num_classes(self) -> int:
        """How many breeds there are."""
        return len(self.class_names)

    def species_labels(self, labels: np.ndarray) -> np.ndarray:
        """The species of breeds: 0 for a cat, 1 for a dog; shape as that of `labels`, int64."""
        return np.array([name == "dog" for name in self.species], np.int64)[np.asarray(labels)]


def load_public(dataset: str, *, image_size: int, language: str = "en") -> LabData:
    """The lab's images from the public data set, as a learner has them on a laptop.

    Raises:
        UnknownNameError: the lab has no such data set.
        DataNotFoundError: its files are nowhere and could not be fetched.
    """
    splits = _load(dataset, image_size)
    ids = _make_ids(str(SPLIT_SEED), len(splits.test))
    hidden = HiddenImages(splits.test.images, ids)
    breeds = splits.train.class_names
    return LabData(dataset, image_size, splits.train, splits.val, hidden, breeds, species_of(dataset, breeds), language)


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
        dataset: One of `DATASETS`. Of drawn pets the hidden images are drawn anew, from `key`; of photos they are the
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
    splits = _load(dataset, image_size)
    images, breeds = _hidden_images(dataset, splits, key, image_size, drawn_a_breed)
    ids = _make_ids(key, len(images))
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


def read_lab_data(folder: Path, *, image_size: int | None = None, language: str = "en") -> LabData:
    """The lab's images from a folder that `write_lab_data` wrote.

    Args:
        folder: Has the four files; is only read.
        image_size: Side in pixels that images of another size are brought to; None to leave them.
        language: Of messages.

    Raises:
        LabError: a file is missing or damaged.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        parts = {name: _open(folder / f"{name}.npz") for name in ("train", "val", "hidden")}
        size = image_size or about["image_size"]
        for part in parts.values():
            part["images"] = resize_images(part["images"], size)
        breeds = tuple(about["breeds"])
        train, val = (
            Dataset(f"{about['dataset']} ({name})", parts[name]["images"], parts[name]["labels"], breeds,
                    np.array([f"{name}/{i:05d}" for i in range(len(parts[name]["labels"]))]))
            for name in ("train", "val")
        )  # fmt: skip
        hidden = HiddenImages(parts["hidden"]["images"], parts["hidden"]["ids"])
        return LabData(about["dataset"], size, train, val, hidden, breeds, tuple(about["species"]), language)
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"{folder}: expected the lab's files as write_lab_data writes them, came: {error}. Write them again."
        ) from error


def species_of(dataset: str, breeds: tuple[str, ...]) -> tuple[str, ...]:
    """The species, "cat" or "dog", of each breed of a data set."""
    if dataset == "drawn_pets_breeds":
        from tlhelpers.drawn_pets import BREEDS

        species = {breed.name.replace("_", " "): breed.species for breed in BREEDS}
        return tuple(species[name] for name in breeds)
    return tuple("cat" if name in OXFORD_CATS else "dog" for name in breeds)


def resize_images(images: np.ndarray, size: int) -> np.ndarray:
    """Whole images at another size: shape `(n, size, size, 3)` uint8, bilinear and antialiased."""
    if images.shape[1] == size:
        return images
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size), bilinear)) for image in images])


def _load(dataset: str, image_size: int) -> Splits:
    if dataset not in DATASETS:
        raise UnknownNameError("data set of the lab", dataset, DATASETS)
    return load_splits(dataset, image_size=image_size, seed=SPLIT_SEED, val_fraction=VAL_FRACTION, progress=False)


def _hidden_images(
    dataset: str, splits: Splits, key: str, size: int, drawn_a_breed: int
) -> tuple[np.ndarray, np.ndarray]:
    if dataset != "drawn_pets_breeds":
        return splits.test.images, splits.test.labels
    from tlhelpers.drawn_pets import draw_pets

    # From a digest: the public drawings have small seeds, and hidden ones that share one could be looked up.
    far = int(_digest(f"drawings {key}")[:32], 16)
    pets = draw_pets(drawn_a_breed * len(splits.train.class_names), seed=far, size=size)
    return pets.images, pets.breeds


def _make_ids(key: str, n: int) -> np.ndarray:
    """Strings of 16 hexadecimal characters. From a digest, since a generator's state can be worked out of its output,
    and with it the drawings.
    """
    return np.array([_digest(f"id {key} {i}")[:ID_LENGTH] for i in range(n)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _save(path: Path, **arrays: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def _open(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
