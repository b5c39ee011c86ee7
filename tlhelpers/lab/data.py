"""The lab's images, from the public data set, whose test part is to be predicted; or from a grader's folder.

Such a folder, which `tlgrade` writes for the box in which notebooks run, has `train.npz` and `val.npz` (`images`,
`labels`), `hidden.npz` (`images`, `ids`: no label, shuffled) and `classes.json`.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlhelpers.data.datasets import load_splits
from tlhelpers.data.splits import Dataset, Splits
from tlhelpers.errors import UnknownNameError, said
from tlhelpers.lab.predictions import LabError

DATASETS = ("drawn_pets_breeds", "oxford_pets_breeds")
VAL_FRACTION = 0.2  # of each breed, at least one image
SPLIT_SEED = 0  # learners and graders train on the same images
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
    """

    dataset: str
    image_size: int
    train: Dataset
    val: Dataset
    hidden: HiddenImages
    class_names: tuple[str, ...]
    species: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """How many breeds there are."""
        return len(self.class_names)

    def species_labels(self, labels: np.ndarray) -> np.ndarray:
        """The species of breeds: 0 for a cat, 1 for a dog; shape as that of `labels`, int64."""
        return np.array([name == "dog" for name in self.species], np.int64)[np.asarray(labels)]


def load_public(dataset: str, *, image_size: int) -> LabData:
    """The lab's images from the public data set, as a learner has them on a laptop.

    Raises:
        UnknownNameError: the lab has no such data set.
        DataNotFoundError: its files are nowhere and could not be fetched.
    """
    splits = lab_splits(dataset, image_size)
    hidden = HiddenImages(splits.test.images, make_ids(str(SPLIT_SEED), len(splits.test)))
    breeds = splits.train.class_names
    return LabData(dataset, image_size, splits.train, splits.val, hidden, breeds, species_of(dataset, breeds))


def read_lab_data(folder: Path, *, image_size: int | None = None) -> LabData:
    """The lab's images from a grader's folder.

    Args:
        folder: Has the four files; is only read.
        image_size: Side in pixels that images of another size are brought to; None to leave them.

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
        return LabData(about["dataset"], size, train, val, hidden, breeds, tuple(about["species"]))
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"{folder}: expected the lab's files as tlgrade writes them, came: {error}. Write them again."
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


def lab_splits(dataset: str, image_size: int) -> Splits:
    """The public data set, divided as learners and graders have it.

    Raises:
        UnknownNameError: the lab has no such data set.
    """
    if dataset not in DATASETS:
        raise UnknownNameError(said("data set of the lab", "conjunto de datos del laboratorio"), dataset, DATASETS)
    return load_splits(dataset, image_size=image_size, seed=SPLIT_SEED, val_fraction=VAL_FRACTION, progress=False)


def make_ids(key: str, n: int) -> np.ndarray:
    """Strings of 16 hexadecimal characters. From a digest, since a generator's state can be worked out of its output,
    and with it the drawings.
    """
    return np.array([hashlib.sha256(f"id {key} {i}".encode()).hexdigest()[:16] for i in range(n)])


def _open(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
