"""How a folder of one's own photos is laid out: which of its folders are classes, and which are parts above them.

What people have: `CLASS/PHOTO`, `train/CLASS/PHOTO` beside `val` or `test`, `CLASS/train/PHOTO`, and any of them one or
more folders further down. What could be read in two ways is refused with a question.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tlhelpers.data.archives import walk_folder
from tlhelpers.data.audit import is_clutter
from tlhelpers.errors import DatasetError, said

_PARTS = {
    "train": {"train", "training", "trainset", "entrenamiento"},
    "val": {"val", "valid", "validation", "dev", "validación", "validacion"},
    "test": {"test", "testing", "testset", "prueba", "pruebas"},
}
_BESIDE = {"set", "data", "dataset", "images", "photos", "seg", "conjunto", "de", "datos", "fotos", "imágenes"}
_PHOTO = re.compile(r"\.(jpe?g|jfif|png|gif|bmp|webp|tiff?|avif|hei[cf]|mpo)$", re.IGNORECASE)


@dataclass(frozen=True)
class Arrangement:
    """Which folders hold which class.

    Attributes:
        classes: Names, sorted.
        places: Of each folder of a class, such as "train/cats/", its part ("train", "val", "test", or empty where the
            folder is not divided) and its class.
        notes: What was understood beyond `CLASS/PHOTO`, each in English and in Spanish.
    """

    classes: tuple[str, ...]
    places: Mapping[str, tuple[str, str]]
    notes: tuple[tuple[str, str], ...] = ()

    def place(self, name: str) -> tuple[str, str | None]:
        """The id and the class of a file; what lies deeper belongs to the class above it."""
        return name, self._find(name)[1]

    def part(self, name: str) -> str:
        """The part of a file; empty where the folder is not divided."""
        return self._find(name)[0]

    def _find(self, name: str) -> tuple[str, str | None]:
        while name and name not in self.places:
            name = _parent(name)
        return self.places.get(name, ("", None))

    def digest(self) -> str:
        """Changes when files come into another class or part."""
        return hashlib.sha256(repr(sorted(self.places.items())).encode()).hexdigest()[:8]


class _Tree:
    """Names of the folders, each with "/" at its end, and how many photos lie directly in each, and how many deeper."""

    def __init__(self, folder: Path):
        self.photos, self.deeper, self.inside, self.closed = Counter(), Counter(), defaultdict(list), {}
        for name, files, problem in walk_folder(folder):
            if problem and not name:
                _refuse(folder, f"It cannot be read ({problem[1]}).", f"No se puede leer ({problem[1]}).")
            if is_clutter(name):
                continue
            if problem and problem[0] == "unreadable folder":
                self.closed[name] = problem[1]
            if name and name not in self.inside[_parent(name)]:  # two spellings of Unicode are one folder
                self.inside[_parent(name)].append(name)
            photos = sum(bool(_PHOTO.search(file)) and not is_clutter(file) for file, _ in files)
            self.photos[name] += photos
            while name:
                name = _parent(name)
                self.deeper[name] += photos

    def is_deep(self, name: str) -> bool:
        """Whether a folder is one of folders: nearly all of its photos, apart from a cover, lie further down."""
        return bool(self.inside[name]) and self.photos[name] <= self.deeper[name] / 4

    def descend(self, name: str) -> str:
        """Down to where there is a choice: past folders that hold a single folder, and no photo."""
        while not self.photos[name] and len(self.inside[name]) == 1:
            (only,) = self.inside[name]
            if self.photos[only] or not self.inside[only]:
                break
            name = only
        return name


def arrange(folder: Path) -> Arrangement:
    """Finds out how a folder of photos is laid out.

    Raises:
        DatasetError: there are not two classes, or it could be read in more than one way; asks what is meant.
    """
    tree = _Tree(folder)
    top = tree.descend("")
    inside = tree.inside[top]
    notes = [(f"The classes are the folders in {top}.", f"Las clases son las carpetas de {top}.")] if top else []
    parts = {name: part for name in inside if (part := _part_of(name))}
    deep = [name for name in inside if tree.is_deep(name)]
    below = {name: {_last(child) for child in tree.inside[name]} for name in inside}
    if "train" in parts.values() and any(name in deep for name in parts):
        return _arrange_parts(folder, tree, inside, parts, notes)
    if any(_with_train(below[name]) for name in deep):
        return _arrange_classes(folder, tree, inside, below, notes)
    if parts and len(parts) == len(inside) == len(deep):
        _refuse(
            folder,
            f"There is {_listed(inside)}, and no train/: which photos are to learn from? Call their folder train/.",
            f"Está {_listed(inside)} y no hay train/: ¿de qué fotos se aprende? Llame train/ a su carpeta.",
        )
    if len(inside) > 1 and len(parts) == len(inside):
        _refuse(
            folder,
            f"Are {_listed(inside)} parts or classes? As parts, each needs a folder for each class in it "
            f"({inside[0]}CLASS/PHOTO.jpg); as classes, give them other names.",
            f"¿{_listed(inside)} son partes o clases? Como partes, cada una necesita dentro una carpeta por clase "
            f"({inside[0]}CLASE/FOTO.jpg); como clases, deles otros nombres.",
        )
    _ask_for_level(folder, tree, deep)
    if len(inside) < 2:
        _refuse_single(folder, tree, top)
    if twice := _named_by_part(inside):
        _refuse(
            folder,
            f"Are {_listed(twice)} parts of the same classes? Then put each class into the folder of its part "
            "(train/CLASS/PHOTO.jpg). If they are classes, give them names without these words.",
            f"¿{_listed(twice)} son partes de las mismas clases? Entonces ponga cada clase en la carpeta de su parte "
            "(train/CLASE/FOTO.jpg). Si son clases, deles nombres sin esas palabras.",
        )
    return Arrangement(tuple(sorted(map(_last, inside))), {name: ("", _last(name)) for name in inside}, tuple(notes))


def _ask_for_level(folder: Path, tree: _Tree, names: list[str]) -> None:
    """Refuses folders of folders with common names: either of the two could be the classes."""
    below = {name: {_last(child) for child in tree.inside[name]} for name in names}
    counts = Counter(child for children in below.values() for child in children)
    common = {child for child, count in counts.items() if count > 1}
    holders = [name for name, children in below.items() if children & common]
    if len(common) > 1 or any(below[name] - common for name in holders):
        shown, above = _listed(sorted(common)), _listed(holders)
        _refuse(
            folder,
            f"Are the classes {above}, with folders such as {shown} in them? Then put the photos of each class "
            f"straight into its folder. Or are the classes {shown}? Then call the folders above them train/, val/ "
            "and test/, or name one of them as the data set.",
            f"¿Las clases son {above}, con carpetas como {shown} dentro? Entonces ponga las fotos de cada clase "
            f"directamente en su carpeta. ¿O las clases son {shown}? Entonces llame train/, val/ y test/ a las "
            "carpetas de encima, o indique una de ellas como conjunto de datos.",
        )


def _arrange_classes(folder: Path, tree: _Tree, inside: list[str], below: dict, notes: list) -> Arrangement:
    """`CLASS/train/PHOTO`, with `val` or `test` beside it."""
    names = sorted(set().union(*below.values()))
    for name in inside:
        if {_part_of(child) for child in below[name]} != {_part_of(child) for child in names}:
            _refuse(
                folder,
                f"{name} should have the folders {_listed(names)}, as other classes have, and has "
                f"{_listed(sorted(below[name])) or 'none'}. Add what is missing, or put all photos of each class "
                "straight into its folder.",
                f"{name} debería tener las carpetas {_listed(names)}, como otras clases, y tiene "
                f"{_listed(sorted(below[name])) or 'ninguna'}. Añada lo que falta, o ponga todas las fotos de cada "
                "clase directamente en su carpeta.",
            )
    places = {child: (_part_of(child), _last(name)) for name in inside for child in tree.inside[name]}
    return _divided(folder, places, notes, names)


def _arrange_parts(folder: Path, tree: _Tree, inside: list[str], parts: dict[str, str], notes: list) -> Arrangement:
    """`train/CLASS/PHOTO`, with `val` or `test` beside it."""
    if len(parts) < len(inside):
        others = [name for name in inside if name not in parts]
        _refuse(
            folder,
            f"Beside {_listed(parts)} there is {_listed(others)}. Move it elsewhere if the first are the parts of the "
            "data set, with a folder for each class in them. If they are classes, put their photos straight into "
            "them.",
            f"Junto a {_listed(parts)} está {_listed(others)}. Llévelo a otro sitio si las primeras son las partes del "
            "conjunto de datos, con una carpeta por clase. Si son clases, ponga sus fotos directamente en ellas.",
        )
    if len(set(parts.values())) < len(parts):
        _refuse(
            folder,
            f"Two of {_listed(parts)} seem to be the same part. Put them together, or move one elsewhere.",
            f"Dos de {_listed(parts)} parecen ser la misma parte. Únalas o lleve una a otro sitio.",
        )
    classes = {name: tree.inside[tree.descend(name)] for name in parts}
    for name in (*parts, *(child for children in classes.values() for child in children)):
        _refuse_closed(folder, tree, name)
    expected = {_last(child) for name, part in parts.items() if part == "train" for child in classes[name]}
    for name, children in classes.items():
        _ask_for_level(folder, tree, [child for child in children if tree.is_deep(child)])
        came = {_last(child) for child in children}
        if not expected and came:
            _refuse(
                folder,
                f"The training part should have a folder for each class, as {name} has. Sort its photos into them.",
                f"La parte de entrenamiento debería tener una carpeta por clase, como {name}. Reparta sus fotos en "
                "ellas.",
            )
        if came != expected:
            differing = _listed(sorted(came ^ expected)) if came else said("none", "ninguna")
            _refuse(
                folder,
                f"{name} should have a folder for each class, the same as the training part. It has "
                f"{len(came)}; they differ in: {differing}. Is {name} without labels? Then move it elsewhere. Or name "
                "the training part alone as the data set.",
                f"{name} debería tener una carpeta por clase, las mismas que la parte de entrenamiento. Tiene "
                f"{len(came)}; se diferencian en: {differing}. ¿{name} no tiene etiquetas? Entonces llévela a otro "
                "sitio. O indique solo la parte de entrenamiento como conjunto de datos.",
            )
    places = {child: (part, _last(child)) for name, part in parts.items() for child in classes[name]}
    return _divided(folder, places, notes, map(_last, parts))


def _divided(folder: Path, places: dict[str, tuple[str, str]], notes: list, names: Iterable[str]) -> Arrangement:
    classes = tuple(sorted({name for _, name in places.values()}))
    if len(classes) < 2:
        _refuse_few(folder, classes)
    names = sorted(names, key=lambda name: list(_PARTS).index(_part_of(name)))
    given = {part for part, _ in places.values()}
    missing = _listed(part for part in ("val", "test") if part not in given)
    notes = [*notes, (f"Its own division is used: {_listed(names)}.", f"Se usa su propia partición: {_listed(names)}.")]
    if missing:
        notes.append((f"Split off train: {missing}.", f"Se separa de train: {missing}."))
    return Arrangement(classes, places, tuple(notes))


def _named_by_part(names: list[str]) -> list[str]:
    """Of folders such as "train_cats/" and "test_cats/" those that without the part's word have the same name."""
    spellings = set().union(*_PARTS.values())
    rests = {name: [word for word in _words(name) if word not in spellings] for name in names}
    same = [rest for rest in rests.values() if rest and list(rests.values()).count(rest) > 1]
    return [name for name in names if rests[name] in same and rests[name] != _words(name)]


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", _last(name).lower())


def _part_of(name: str) -> str:
    """The part that a folder's name says: "train" of "training_set/"; empty of "train station/"."""
    words = {word for word in _words(name) if not word.isdigit()} - _BESIDE
    return next((part for part, spellings in _PARTS.items() if words and words <= spellings), "")


def _with_train(names: set[str]) -> bool:
    parts = {_part_of(name) for name in names}
    return len(parts) > 1 and "train" in parts and "" not in parts


def _parent(name: str) -> str:
    return name[: name.rstrip("/").rfind("/") + 1]


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join([*names[:5], "..."] if len(names) > 5 else names)


def _refuse_single(folder: Path, tree: _Tree, top: str) -> NoReturn:
    above = folder.absolute().parent
    if not tree.inside[top] and tree.photos[top]:
        _refuse(
            folder,
            f"It has {tree.photos[top]} photos and no folders: is it one class? Then name the folder above it, with a "
            f"folder for each class: {above}",
            f"Tiene {tree.photos[top]} fotos y ninguna carpeta: ¿es una sola clase? Entonces indique la carpeta de "
            f"encima, con una carpeta por clase: {above}",
        )
    for name in tree.inside[top]:
        _refuse_closed(folder, tree, name)
    _refuse_few(folder, [_last(name) for name in tree.inside[top]])


def _refuse_few(folder: Path, classes: Sequence[str]) -> NoReturn:
    came = _listed(classes)
    _refuse(
        folder,
        "It should have a folder of images for each of at least two classes, and has "
        f"{len(classes)}: {came or 'none'}. Put the images at CLASS/IMAGE.jpg.",
        "Debería tener una carpeta de imágenes por clase, para dos clases al menos, y tiene "
        f"{len(classes)}: {came or 'ninguna'}. Ponga las imágenes en CLASE/IMAGEN.jpg.",
    )


def _refuse_closed(folder: Path, tree: _Tree, name: str) -> None:
    if name in tree.closed:
        _refuse(
            folder,
            f"{name} cannot be read ({tree.closed[name]}). Change its permissions, or copy the folder.",
            f"{name} no se puede leer ({tree.closed[name]}). Cambie sus permisos o copie la carpeta.",
        )


def _refuse(folder: Path, english: str, spanish: str) -> NoReturn:
    raise DatasetError(f"{folder}: {said(english, spanish)}")
