"""Data sets by name, split for training, validation and test. Both frameworks get the same images in the same order."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tlhelpers.data.archives import printable, read_members
from tlhelpers.data.audit import USED, Manifest, Record, require_images
from tlhelpers.data.fetch import fetch
from tlhelpers.data.folders import arrange
from tlhelpers.data.image_cache import Layout, gather, prepare_images
from tlhelpers.data.splits import Dataset, Splits, make_splits
from tlhelpers.errors import BrokenArchiveError, DatasetError, UnknownNameError, said
from tlhelpers.paths import atomic_path, cache_folder, locked

__all__ = ["NAMES", "Dataset", "Splits", "load_splits"]

NAMES = ("drawn_pets", "drawn_pets_breeds", "cats_vs_dogs", "oxford_pets_species", "oxford_pets_breeds")
SPECIES = ("cat", "dog")
DRAWN_IMAGES = 1200


def load_splits(
    name: str | Path,
    *,
    image_size: int,
    seed: int = 0,
    max_per_class: int | None = None,
    test_fraction: float | None = None,
    val_fraction: float = 0.1,
    style: str = "photo",
    progress: bool = True,
) -> Splits:
    """A data set, audited, decoded to one size and split; stratified, and without an image in two parts.

    Args:
        name: One of `NAMES`, or a folder of your own with a folder of images per class. Where it has a division of
            its own above them, `train` with `val` or `test`, that is used, and a part that is missing is split off.
        image_size: Side of the images in pixels.
        seed: Another seed gives other parts (and, with `max_per_class`, other images).
        max_per_class: Images of each class to use; None for all.
        test_fraction: Fraction of all images for testing; by default 0.25 of drawn pictures and 0.2 of others. The
            Oxford pets have an official test part, which is taken in place of it.
        val_fraction: Fraction of all images for validation; of the Oxford pets, of their official training part.
        style: Of drawn pictures: "photo", "sketch" or "night".
        progress: Whether to show bars when fetching and decoding.

    Raises:
        UnknownNameError: there is no data set of that name.
        DataNotFoundError: its files are nowhere and could not be fetched.
        DatasetError: too few images, an empty class, or a folder that is no data set.
        BrokenArchiveError: an archive cannot be read.
    """
    if not isinstance(image_size, int | np.integer) or not 16 <= image_size <= 2048:
        raise DatasetError(
            said(
                f"image_size should be a whole number of pixels from 16 to 2048; it is {image_size!r}.",
                f"image_size debería ser un número entero de píxeles de 16 a 2048; es {image_size!r}.",
            )
        )
    drawn = str(name).startswith("drawn_pets")
    how = {
        "seed": seed,
        "max_per_class": max_per_class,
        "test_fraction": (0.25 if drawn else 0.2) if test_fraction is None else test_fraction,
        "val_fraction": val_fraction,
    }
    if name in ("drawn_pets", "drawn_pets_breeds"):
        return _load_drawn(str(name), image_size, style, how)
    if style != "photo":
        raise DatasetError(
            said(
                f"Only drawn pictures come in styles; {str(name)!r} has photos. Leave style={style!r} away.",
                f"Solo hay estilos en las imágenes dibujadas; {str(name)!r} tiene fotos. Quite style={style!r}.",
            )
        )
    if name == "cats_vs_dogs":
        return _load_cats_vs_dogs(image_size, how, progress)
    if name in ("oxford_pets_species", "oxford_pets_breeds"):
        return _load_oxford(str(name), image_size, how, progress)
    return _load_folder(name, image_size, how, progress)


def _load_drawn(name: str, size: int, style: str, how: dict) -> Splits:
    from tlhelpers.drawn_pets import BREEDS

    images, species, breeds = _draw_once(size, style)
    breed_names = [breed.name.replace("_", " ") for breed in BREEDS]
    ids = [f"{breed_names[breed]}/{i:04d}" for i, breed in enumerate(breeds)]
    labels, classes = (species, SPECIES) if name == "drawn_pets" else (breeds, breed_names)
    records = [
        Record(ids[i], classes[label], USED, width=size, height=size, format="drawn", mode="RGB", row=i)
        for i, label in enumerate(labels)
    ]
    return make_splits(name, Manifest(name, tuple(records)), ids, labels, classes, images.__getitem__, **how)


def _draw_once(size: int, style: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pictures, drawn the first time and kept; drawn anew when the drawing code has changed."""
    from tlhelpers import drawn_pets

    drawn_pets.check_style(style)
    code = hashlib.sha256()
    for file in sorted(Path(drawn_pets.__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    target = cache_folder() / "drawn" / f"{style}-{size}-{DRAWN_IMAGES}-{code.hexdigest()[:12]}.npz"
    with locked(target):
        if not target.exists():
            pets = drawn_pets.draw_pets(DRAWN_IMAGES, seed=0, size=size, style=style)
            with atomic_path(target) as temporary:
                np.savez(temporary, images=pets.images, species=pets.species, breeds=pets.breeds)
    with np.load(target, allow_pickle=False) as kept:
        return kept["images"], kept["species"], kept["breeds"]


def _place_cats_vs_dogs(name: str) -> tuple[str, str | None]:
    """`PetImages/Cat/12.jpg` is `Cat/12.jpg`, a cat."""
    parts = name.split("/")
    species = parts[-2].lower() if len(parts) > 1 else ""
    return "/".join(parts[-2:]), species if species in SPECIES else None


CATS_VS_DOGS_LAYOUT = Layout("cats_vs_dogs", _place_cats_vs_dogs)


def _load_cats_vs_dogs(size: int, how: dict, progress: bool) -> Splits:
    (archive,) = fetch("cats_vs_dogs", progress=progress)
    prepared = prepare_images(archive, CATS_VS_DOGS_LAYOUT, image_size=size, progress=progress)
    return _split_prepared("cats_vs_dogs", prepared, SPECIES, how)


def _place_oxford(name: str) -> tuple[str, str | None]:
    """`images/Egyptian_Mau_139.jpg` is `Egyptian_Mau_139.jpg`, of the breed Egyptian Mau."""
    image_id = name.rsplit("/", 1)[-1]
    found = re.fullmatch(r"(.+)_[0-9]+\.[A-Za-z]+", image_id)
    return image_id, found[1].replace("_", " ").title() if found else None


def _load_oxford(name: str, size: int, how: dict, progress: bool) -> Splits:
    images, annotations = fetch("oxford_iiit_pet", progress=progress)
    prepared = prepare_images(images, Layout("oxford", _place_oxford), image_size=size, progress=progress)
    parts, species, breeds = _read_annotations(annotations)
    if name == "oxford_pets_breeds":
        return _split_prepared(name, prepared, breeds, how, given=parts)
    return _split_prepared(name, prepared, SPECIES, how, given=parts, class_of=species)


def _read_annotations(archive: Path) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The official lists: part of each id, species of each id, and the breeds by their official number."""
    lists = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
    texts = {m.name: m.data for m in read_members(archive, lambda n: n in lists.values()) if m.name in lists.values()}
    parts, species, breeds = {}, {}, {}
    for part, file in lists.items():
        if file not in texts:
            again = said("and has not. Fetch the annotations again", "y no lo tiene. Traiga otra vez las anotaciones")
            raise BrokenArchiveError(f"{archive} {said('should have', 'debería tener')} {file}, {again}.")
        for line in texts[file].decode("utf-8", "replace").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split()
            if len(words) != 4 or not words[1].isdigit() or words[2] not in ("1", "2"):
                wanted = "NAME CLASS-ID SPECIES BREED-ID"
                raise BrokenArchiveError(
                    said(
                        f"{archive}: a line of {file} should be {wanted}, and is {line!r}. Fetch them again.",
                        f"{archive}: una línea de {file} debería ser {wanted} y es {line!r}. Traiga otra vez las "
                        "anotaciones.",
                    )
                )
            image_id = f"{words[0]}.jpg"
            parts[image_id] = part
            species[image_id] = SPECIES[int(words[2]) - 1]
            breeds[int(words[1])] = words[0].rsplit("_", 1)[0].replace("_", " ").title()
    return parts, species, [breeds[number] for number in sorted(breeds)]


def own_folder(name: str | Path) -> Path:
    """The folder of photos that `name` is the path of.

    Raises:
        UnknownNameError: there is no folder there, and the name looks like that of a data set.
        DatasetError: there is no folder there, and the name looks like a path; or it may not be read.
    """
    folder = Path(os.path.expanduser(name)).absolute()
    if str(name).strip() and os.path.isdir(folder):  # "" would be the folder one stands in
        if os.access(folder, os.R_OK | os.X_OK):
            return folder
        raise DatasetError(
            said(
                f"{folder} may not be read by this account. Change its permissions, or copy it.",
                f"Esta cuenta no puede leer {folder}. Cambie sus permisos o cópiela.",
            )
        )
    if isinstance(name, Path) or re.search(r"[/\\]", name) or os.path.isfile(folder):
        came = said("there is nothing there", "ahí no hay nada")
        if os.path.isfile(folder):
            came = said(
                "it is a file. If it is a zip, unpack it first", "es un archivo. Si es un zip, descomprímalo antes"
            )
        raise DatasetError(
            said(
                f"{folder} should be a folder with a folder of images per class, and {came}.",
                f"{folder} debería ser una carpeta con una carpeta de imágenes por clase, y {came}.",
            )
        )
    more = said(
        f"For photos of your own give the path of their folder; there is none at {folder}.",
        f"Para fotos propias, dé la ruta de su carpeta; en {folder} no hay ninguna.",
    )
    raise UnknownNameError(said("data set", "conjunto de datos"), name, NAMES, more)


def _load_folder(name: str | Path, size: int, how: dict, progress: bool) -> Splits:
    folder = own_folder(name)
    arrangement = arrange(folder)
    layout = Layout(f"folders-{arrangement.digest()}", arrangement.place)
    prepared = prepare_images(folder, layout, image_size=size, progress=progress)
    prepared = replace(prepared, manifest=replace(prepared.manifest, notes=arrangement.notes))
    given = {record.id: arrangement.part(record.id) or "train" for record in prepared.manifest.used}
    return _split_prepared(printable(folder.name), prepared, arrangement.classes, how, given=given)


def _split_prepared(
    name: str, prepared, classes: Sequence[str], how: dict, given: dict | None = None, class_of: dict | None = None
) -> Splits:
    """Divides an archive's records and picks their images; where parts are `given`, the records that have one."""
    if class_of is None:
        require_images(prepared.manifest, classes)
        class_of = {record.id: record.class_name for record in prepared.manifest.used}
    records = [record for record in prepared.manifest.used if given is None or record.id in given]
    ids, rows = [record.id for record in records], np.array([record.row for record in records], np.int64)
    labels = [classes.index(class_of[name]) for name in ids]

    def pick(places: np.ndarray) -> np.ndarray:
        return gather(prepared.images, rows[places])

    return make_splits(name, prepared.manifest, ids, labels, classes, pick, given=given, **how)
