"""The lab as a grader has it: definition, images for the box, and the labels and the key that never enter one."""

import functools
import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from tlgrade import scoring as lab_scoring
from tlhelpers.errors import DataNotFoundError, ParameterError, UnknownNameError
from tlhelpers.paths import atomic_path

IMAGE_SIZE = 64  # pixels; what a lab's definition does not say
KEY_BYTES = 16
LABS = Path(__file__).resolve().parents[1] / "lab"


@dataclass(frozen=True, eq=False)
class Lab:
    """A lab that is ready to be graded.

    Attributes:
        name: As in the definition.
        title: In each language.
        dataset: The data set of the hidden images.
        tasks: Definitions of the tasks, the bonus too (which has `bonus: True`).
        data: The folder that the box sees.
        labels: For each hidden image's id the index of its breed.
        classes: `breeds` and `species`, as in `classes.json`.
        key: Secret, 32 hexadecimal characters; pictures, ids and the cases of functions follow from it.
        digest: Hash of all this.
    """

    name: str
    title: dict
    dataset: str
    tasks: tuple[dict, ...]
    data: str
    labels: dict[str, int]
    classes: dict
    key: str
    digest: str

    @property
    def points(self) -> float:
        """What all tasks together are worth, without the bonus."""
        return float(sum(task["points"] for task in self.tasks if not task.get("bonus")))

    @property
    def files(self) -> list[str]:
        """Names of the artefacts that the tasks ask for."""
        asked = [task for task in self.tasks if task["kind"] == "predictions"]
        return list(dict.fromkeys(task[key] for key in ("file", "moved") for task in asked if key in task))


def find_definition(name: str) -> Path:
    """The definition of a lab: the name of one that comes with the course, or the path of a YAML file.

    A name is never looked up in the working folder, which may be that of the submissions.

    Raises:
        DataNotFoundError: There is none.
    """
    known = {path.stem: path for path in sorted(LABS.glob("*.yaml"))}
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix == ".yaml" and path.is_file():
        return path.resolve()
    if known:
        raise UnknownNameError("lab", name, known)
    raise DataNotFoundError(f"expected a lab {name!r} in {LABS}, and there is none. Name its YAML file with --lab.")


def prepare_lab(
    definition: Path,
    folder: Path,
    *,
    dataset: str | None = None,
    image_size: int | None = None,
) -> Lab:
    """Writes what grading needs into a folder that only the grader can open; what is there already is kept.

    Args:
        definition: The lab's YAML file.
        folder: Where it goes.
        dataset: One of the lab's data sets; by default its first.
        image_size: Side of the images in pixels.

    Raises:
        UnknownNameError: The lab has no such data set.
        ParameterError: The folder was prepared for something else.
    """
    about = lab_scoring.read_definition(definition)
    dataset = dataset or about["datasets"][0]
    if dataset not in about["datasets"]:
        raise UnknownNameError("data set of the lab", dataset, about["datasets"])
    image_size = image_size or about.get("image_size", {}).get(dataset, IMAGE_SIZE)
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    wanted = {"dataset": dataset, "image_size": image_size}
    settings = _read_settings(folder, wanted)
    if settings is None:
        settings = wanted | {"key": secrets.token_hex(KEY_BYTES)}
        _write_data(folder, settings)
        _write_json(folder / "settings.json", settings)  # last: it says that all is there
    with atomic_path(folder / "definition.yaml") as temporary:
        shutil.copyfile(definition, temporary)
    open_lab.cache_clear()
    return open_lab(str(folder))


@functools.lru_cache(maxsize=2)
def open_lab(folder: str) -> Lab:
    """The lab that `prepare_lab` wrote."""
    root = Path(folder)
    about = lab_scoring.read_definition(root / "definition.yaml")
    settings = json.loads((root / "settings.json").read_text())
    parts = [root / "definition.yaml", root / "settings.json", root / "labels.json", *sorted((root / "data").iterdir())]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.read_bytes()).digest())
    bonus = [{**task, "bonus": True} for task in about.get("bonus", [])]
    return Lab(
        about["name"], about["title"], settings["dataset"], (*about["tasks"], *bonus), str(root / "data"),
        json.loads((root / "labels.json").read_text()), json.loads((root / "data/classes.json").read_text()),
        settings["key"], digest.hexdigest(),
    )  # fmt: skip


def _read_settings(folder: Path, wanted: dict) -> dict | None:
    path = folder / "settings.json"
    if not path.exists():
        return None
    settings = json.loads(path.read_text())
    if len(settings.get("key", "")) < 2 * KEY_BYTES:
        raise ParameterError(
            f"{folder} was made with a seed that can be guessed. Grade into another folder with --out."
        )
    other = [name for name, value in wanted.items() if settings[name] != value]
    if other:
        raise ParameterError(
            f"{folder.parent} holds results for {other[0]} {settings[other[0]]!r}, and {wanted[other[0]]!r} was asked "
            "for. Grade into another folder with --out."
        )
    return settings


def _write_data(folder: Path, settings: dict) -> None:
    from tlgrade.lab_data import write_lab_data

    write_lab_data(
        folder / "data",
        folder / "labels.json",
        settings["dataset"],
        key=settings["key"],
        image_size=settings["image_size"],
    )
    for path in (folder / "data").iterdir():  # the box's user reads them, the folder above is the grader's only
        path.chmod(0o644)
    (folder / "data").chmod(0o755)


def _write_json(path: Path, content: object) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
