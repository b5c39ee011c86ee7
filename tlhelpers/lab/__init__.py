"""What a lab's notebook calls: its images, the three best breeds of each, and handing in.

>>> from tlhelpers import lab
>>> data = lab.load("drawn_pets_breeds", image_size=64)  # doctest: +SKIP
>>> lab.submit(data, lab.best_three(probabilities))  # doctest: +SKIP
"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from tlhelpers.errors import LANGUAGE_VARIABLE, said
from tlhelpers.lab.answers import ShortError
from tlhelpers.lab.data import LabData, load_public, read_lab_data, resize_images
from tlhelpers.lab.predictions import COLUMNS, Problem, find_problems
from tlhelpers.paths import atomic_path

DATA_VARIABLE = "TLHELPERS_LAB_DATA"  # a folder that a grader wrote
OUT_VARIABLE = "TLHELPERS_LAB_OUT"  # where predictions go
TASKS = ("baseline", "features", "fine_tune", "two_heads", "final")
SPECIES = ("cat", "dog")
MOVED_SAMPLE = 4096  # values of each weight that are handed in


__all__ = [
    "LabData", "SubmissionError", "best_three", "load", "name_missing_tasks", "resize_images", "submit", "submit_moved",
]  # fmt: skip


class SubmissionError(ShortError):
    """Predictions that were not written, since they could not be scored."""


def load(dataset: str, *, image_size: int, language: str = "en") -> LabData:
    """The lab's images: those to learn from, those to choose with, and those to predict.

    Where the grader runs the notebook, its own folder takes the place of the public data set, whatever `dataset` says.

    Args:
        dataset: "drawn_pets_breeds" (needs no download) or "oxford_pets_breeds".
        image_size: Side of the images in pixels; what the backbone takes.
        language: Of the messages of checks and of `submit`, "en" or "es".
    """
    os.environ[LANGUAGE_VARIABLE] = language
    folder = os.environ.get(DATA_VARIABLE)
    return read_lab_data(Path(folder), image_size=image_size) if folder else load_public(dataset, image_size=image_size)


def best_three(probabilities: np.ndarray) -> np.ndarray:
    """The three most probable classes of each row, the most probable first: shape `(n, 3)`, integers."""
    return np.argsort(-np.asarray(probabilities), axis=1, kind="stable")[:, :3]


def submit(
    data: LabData,
    three: np.ndarray | Sequence,
    species: np.ndarray | Sequence | None = None,
    *,
    task: str = "final",
) -> Path:
    """Writes the predictions for the hidden images, if they are complete, and says so.

    Args:
        data: From `load`.
        three: Shape `(n, 3)`: for each hidden image in turn three breeds, the most probable first, as names or as
            indices into `data.class_names`.
        species: Shape `(n,)`: "cat" or "dog", or 0 or 1; None where the task does not ask for it.
        task: One of `TASKS`; "final" writes `predictions.csv`, another `predictions_TASK.csv`.

    Returns:
        The file. It is written beside its place and renamed, so a file that is there is whole.

    Raises:
        SubmissionError: Nothing was written; the message says what is wrong and how to mend it.
    """
    file = "predictions.csv" if task == "final" else f"predictions_{task}.csv"
    problems = _wrong_arguments(data, three, species, task)
    if not problems:
        rows = _make_rows(data, three, species)
        problems = find_problems(rows, data.hidden.ids.tolist(), {"breeds": data.class_names})
    if problems:
        head = said(f"{file} was not written:", f"No se ha escrito {file}:")
        raise SubmissionError("\n- ".join([head, *(said(*problem) for problem in problems)]))
    path = Path(os.environ.get(OUT_VARIABLE) or ".") / file
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with_species = "" if species is None else said(" and a species", " y una especie")
    print(
        said(
            f"✓ {file} is complete: {len(rows)} images, three breeds{with_species} for each.",
            f"✓ {file} está completo: {len(rows)} imágenes, con tres razas{with_species} para cada una.",
        )
    )
    return path


def _wrong_arguments(data: LabData, three, species, task: str) -> list[Problem]:
    """What keeps rows from being made at all; at most one problem for the breeds and one for the species."""
    if task not in TASKS:
        en, es = (f"{asked} {', '.join(TASKS)}" for asked in ("expected task among", "se esperaba task entre"))
        return [Problem(f"{en}, came {task!r}", f"{es} y llegó {task!r}")]
    n = len(data.hidden)
    found = [_wrong_breeds(data, np.asarray(three), n)]
    species = np.zeros(n, int) if species is None else np.asarray(species)
    if species.shape != (n,):
        en = f"expected one species an image, shape ({n},), came shape {species.shape}"
        es = f"se esperaba una especie por imagen, de forma ({n},), y llegó {species.shape}"
        found.append(Problem(en, es))
    elif species.dtype.kind not in "US" and not np.isin(species, (0, 1)).all():
        en = 'expected species as "cat" and "dog", or as 0 and 1; for probabilities take .argmax(1)'
        es = 'se esperaban las especies como "cat" y "dog", o como 0 y 1; con probabilidades, use .argmax(1)'
        found.append(Problem(en, es))
    return [problem for problem in found if problem]


def _wrong_breeds(data: LabData, three: np.ndarray, n: int) -> Problem | None:
    if three.dtype.kind == "f" and np.isnan(three).any():
        return Problem(
            f"{np.isnan(three).sum()} values are not a number (NaN). Did the training diverge? Try a lower learning "
            "rate",
            f"hay {np.isnan(three).sum()} valores que no son números (NaN). ¿Divergió el entrenamiento? Pruebe con una "
            "tasa de aprendizaje menor",
        )
    if three.ndim == 2 and three.shape[1] == data.num_classes and data.num_classes != 3:
        return Problem(
            "these look like probabilities; give the three most probable breeds: lab.best_three(probabilities)",
            "parecen probabilidades; entregue las tres razas más probables: lab.best_three(probabilities)",
        )
    if three.ndim != 2 or three.shape[1] != 3:
        return Problem(
            f"expected three breeds an image, shape ({n}, 3), came shape {three.shape}",
            f"se esperaban tres razas por imagen, de forma ({n}, 3), y llegó {three.shape}",
        )
    if len(three) != n:
        return Problem(
            f"there are {n} images to predict, and {len(three)} rows came. Predict data.hidden.images",
            f"hay que predecir {n} imágenes y llegaron {len(three)} filas. Prediga data.hidden.images",
        )
    if three.dtype.kind not in "USOiu" or (
        three.dtype.kind in "iu" and (three.min() < 0 or three.max() >= data.num_classes)
    ):
        last = data.num_classes - 1
        return Problem(
            f"expected breeds as names, or as whole numbers from 0 to {last}, came {three.dtype} such as {three[0]}",
            f"se esperaban nombres de razas o números enteros de 0 a {last} y llegó {three.dtype}, como {three[0]}",
        )
    return None


def _make_rows(data: LabData, three, species) -> list[dict[str, str]]:
    three = np.asarray(three)
    named = np.array(data.class_names)[three] if three.dtype.kind in "iu" else three
    kinds = np.full(len(three), "") if species is None else np.asarray(species)
    kinds = kinds if kinds.dtype.kind in "US" else np.array(SPECIES)[kinds.astype(int)]
    lines = zip(data.hidden.ids, named, kinds, strict=True)
    return [dict(zip(COLUMNS, map(str, (name, *breeds, kind)), strict=True)) for name, breeds, kind in lines]


def submit_moved(data: LabData, task: str, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> Path:
    """Hands in what training did to a network: of each weight that moved a sample, as it was and as it is.

    Args:
        data: From `load`.
        task: One of `TASKS`; the file is `moved_TASK.safetensors`.
        before: The network's weights by name, any shapes, before it was trained.
        after: The same names after it.

    Returns:
        The file.
    """
    moved = {name: (np.ravel(old), np.ravel(after[name])) for name, old in before.items() if name in after}
    parts = {
        f"{name}.{when}": np.ascontiguousarray(values[:MOVED_SAMPLE], dtype=np.float32)
        for name, (old, new) in moved.items()
        if old.shape == new.shape and not np.array_equal(old, new)
        for when, values in (("before", old), ("after", new))
    }
    path = Path(os.environ.get(OUT_VARIABLE) or ".") / f"moved_{task}.safetensors"
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(parts))
    count = len(parts) // 2
    en, es = f"{count} of {len(before)} weights have moved.", f"se han movido {count} de {len(before)} pesos."
    print(f"✓ {path.name}: {said(en, es)}")
    return path


def name_missing_tasks(makers: Mapping[str, int], language: str = "en") -> None:
    """From now on a name that an unsolved task should have made is answered with that task, and no long traceback.

    Args:
        makers: For each name the number of the task that makes it.
        language: "en" or "es".
    """
    os.environ[LANGUAGE_VARIABLE] = language
    shell = get_ipython()  # noqa: F821  (IPython's own)

    def show(shell, kind, error, traceback, tb_offset=None):
        task = makers.get(error.name)
        if task is None:
            return shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
        es = f"✗ Resuelva antes la tarea {task}: de ella sale {error.name}."
        says = said(f"✗ Solve task {task} first: it makes {error.name}.", es)
        shell._showtraceback(kind, says, [says])
        return [says]

    shell.set_custom_exc((NameError,), show)
