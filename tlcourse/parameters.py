"""The parameters of notebooks: read, and checked before anything runs.

What a parameter takes follows from its default's kind, its name, and the comment beside it:

- a whole number from 1 on, a number above 0, or a text that is not empty; `RANGES` has those with other ends;
- a text whose comment lists others, as in `# or "sketch"`, one of these; where the comment ends in `...` or says
  "such as", any network that the framework knows;
- `PATHS`: a name that the lesson knows, or a path, which begins where the person stands.
"""

import ast
import difflib
import functools
import io
import math
import os
import re
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

import yaml

from tlcourse.lessons import LESSON_NAME
from tlcourse.sentences import UniqueKeys
from tlcourse.source_cells import PARAMETERS_TAG, strip_magics
from tlcourse.variants import FRAMEWORK_NAMES
from tlhelpers.errors import ParameterError, UnknownNameError, said

MOST = 1_000_000  # of anything that is counted
SIDE = (16, 2048)  # of images, in pixels
RANGES = {  # both ends; of a lesson alone where its number stands before the name
    "SEED": (0, 4_000_000),  # lessons multiply it by 1,000, and Keras takes up to 2 ** 32
    "IMAGE_SIZE": SIDE, "RETRAIN_SIZE": SIDE, "TRAIN_SIZE": SIDE, "GRID_SIZE": SIDE,
    "NOISE": (0, MOST),
    # One to learn from, and one that decides when to stop.
    "01 LABELS": (3, MOST),  # its damaged copy of a class has two good photos
    **dict.fromkeys(("01 FEW_LABELS", "02a LABELS", "02b LABELS", "02b FEW_LABELS", "03a LABELS",
                     "03b LABELS", "05 LABELS", "06b LABELS", "06b FEW_LABELS"), (2, MOST)),
    # Of one run alone there is no interval.
    **dict.fromkeys(("06b DRAWS", "09b DRAWS", "10b DRAWS", "11a NETWORKS", "11b NETWORKS"), (2, MOST)),
    **dict.fromkeys(("MAX_A_CLASS", "IMAGES"), (8, MOST)),  # of a class, as many as a folder has to have
    "11a MANY_NETWORKS": (6, MOST),  # with fewer no rate may be left with which each of them learns
}  # fmt: skip
DATA, FOLDER, FILE = "a data set or a folder", "a folder", "a file"
SPANISH = {FOLDER: "una carpeta", FILE: "un archivo"}
PATHS = {"DATASET": DATA, "REAL_PHOTOS": DATA, "SOUNDS": FOLDER, "DOG_PHOTO": FILE}
OPEN = ("...", "such as", ', como "')  # in a comment: what it lists is not all
TRY_NETWORK = {
    "pytorch": "load_network(sys.argv[1], pretrained=False)",
    "tensorflow": "load_network(sys.argv[1], 64, pretrained=False, include_top=False)",
}


@dataclass(frozen=True)
class Parameter:
    """A line of a notebook's parameters cell: its default as Python source, and the comment beside it."""

    name: str
    default: str
    comment: str = ""

    @property
    def value(self):
        """The default; None where it is an expression."""
        try:
            return ast.literal_eval(self.default)
        except ValueError:
            return None

    @property
    def choices(self) -> set[str]:
        """The texts that the parameter takes, as far as its comment lists them."""
        listed = set(re.findall(r'"([^"]+)"', self.comment))
        return listed | {self.value} if listed else set()


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """What stands in a notebook's parameters cell, by name.

    papermill's own inspection takes one line for one parameter and loses it when a comment holds a `=`.

    Raises:
        ParameterError: The file is no notebook, or not exactly one of its cells has the tag `parameters`.
    """
    import nbformat

    try:
        node = nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise ParameterError(f"{notebook}: expected a notebook, and there is no such file.") from None
    except (ValueError, nbformat.ValidationError) as error:
        raise ParameterError(f"{notebook}: expected a notebook, came something else: {error}.") from None
    tagged = [cell for cell in node.cells if PARAMETERS_TAG in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(
            f"{notebook}: expected one cell tagged {PARAMETERS_TAG!r}, came {len(tagged)}. "
            "Tag the cell that holds the notebook's settings, and no other."
        )
    source = strip_magics(tagged[0].source)
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"{notebook}: its parameters cell is no Python code ({error}). Mend it.") from None
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for statement in statements:
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and isinstance(targets[0], ast.Name):
            default, comment = ast.unparse(statement.value), comments.get(statement.end_lineno, "")
            found[targets[0].id] = Parameter(targets[0].id, default, comment)
    return found


def read_params(path: Path | None, notebook: Path) -> dict:
    """Reads a YAML file of parameters for a notebook; none for None.

    A key that is a lesson's name, as `01_cats_vs_dogs:`, holds parameters that only this lesson's notebooks get. There
    a name without a value takes away the one that all lessons get, for a lesson that has no such parameter.

    Raises:
        ParameterError: No such file, no YAML, a name twice, or no mapping of names to values.
        UnknownNameError: Parameters below a name that is nearly, and not quite, a lesson's.
    """
    if path is None:
        return {}
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), UniqueKeys)
    except (OSError, ValueError, yaml.YAMLError) as error:
        asked = said("expected a YAML file of parameters, came", "se esperaba un archivo YAML de parámetros; llegó")
        raise ParameterError(f"{path}: {asked}: {error}.") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ParameterError(
            said(
                f"{path}: expected lines `NAME: value`, came {values!r}. Write one parameter a line.",
                f"{path}: se esperaban líneas `NOMBRE: valor` y llegó {values!r}. Escriba un parámetro por línea.",
            )
        )
    lessons = {key: values.pop(key) for key in list(values) if LESSON_NAME.fullmatch(key)}
    for lesson, own in lessons.items():
        if not isinstance(own, dict):
            raise ParameterError(
                said(
                    f"{path}: expected parameters below {lesson}:, came {own!r}. Indent them below it.",
                    f"{path}: se esperaban parámetros bajo {lesson}: y llegó {own!r}. Sángrelos debajo.",
                )
            )
        # A lesson of another course may stand there, but hardly one whose name is nearly that of one that is here.
        here = {other.stem.rpartition("_")[0] for other in Path(notebook).parent.glob("*_*.ipynb")}
        if lesson not in here and difflib.get_close_matches(lesson, here, n=1, cutoff=0.8):
            raise UnknownNameError(said("lesson", "lección"), lesson, here)
        if Path(notebook).stem.startswith(f"{lesson}_"):
            values = {name: value for name, value in (values | own).items() if value is not None or name not in own}
    return values


def check_parameters(notebook: Path, values: dict) -> dict:
    """Refuses parameters that the notebook does not have, and values that it cannot take.

    Returns:
        The values, with paths made absolute.

    Raises:
        ParameterError: With the name that was probably meant, and all names and defaults; or with what it takes.
        UnknownNameError: No such data set or network.
        DatasetError: No such folder.
    """
    known, checked = read_parameters(notebook), {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
            hint = said(f" Did you mean {close[0]!r}?", f" ¿Quería decir {close[0]!r}?") if close else ""
            table = "\n".join(f"  {key} = {parameter.default}" for key, parameter in known.items())
            raise ParameterError(
                said(
                    f"{Path(notebook).name} has no parameter {name!r}.{hint} It has, with these defaults:\n{table}",
                    f"{Path(notebook).name} no tiene el parámetro {name!r}.{hint} Tiene, con estos valores:\n{table}",
                )
            )
        wanted = _refusal(known[name], value, Path(notebook).stem.split("_")[0])
        if wanted:
            default, file = known[name].default, Path(notebook).name
            raise ParameterError(
                said(
                    f"{file}: expected {wanted} for {name} (its default is {default}), came {value!r}. Give {wanted}.",
                    f"{file}: para {name} se esperaba {wanted} (por defecto vale {default}) y llegó {value!r}. Dé "
                    f"{wanted}.",
                )
            )
        checked[name] = _absolute(known[name], value) if name in PATHS else value
        if isinstance(value, str) and name not in PATHS and value != known[name].value:
            _check_name(known[name], value, Path(notebook).stem.rpartition("_")[2])
    return checked


def _refusal(parameter: Parameter, value, lesson: str) -> str | None:
    """What should have come in place of a value; None where it may pass."""
    default = parameter.value
    low, high = RANGES.get(f"{lesson} {parameter.name}") or RANGES.get(parameter.name) or (1, MOST)
    if isinstance(default, bool):
        return None if isinstance(value, bool) else said("True or False", "True o False")
    if isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if fits else said(f"a whole number from {low} to {high}", f"un número entero de {low} a {high}")
    if isinstance(default, float):
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        positive = fits and (value > 0 or value == 0 == low)
        if positive:
            return None
        return (
            said("a number from 0 on", "un número desde 0") if low == 0 else said("a number above 0", "un número > 0")
        )
    if isinstance(default, str):
        fits = isinstance(value, str) and (value.strip() or not default)
        return None if fits else said("a text that is not empty", "un texto que no esté vacío")
    if isinstance(default, list | tuple):
        return None if isinstance(value, list | tuple) else said("a list", "una lista")
    return None


def _absolute(parameter: Parameter, value: str) -> str:
    """A data set's name as it is, and a path as the kernel needs it, which starts in the notebook's folder."""
    from tlhelpers.data.datasets import NAMES, own_folder

    kind = PATHS[parameter.name]
    if value == parameter.value or (kind == DATA and value in NAMES):
        return value
    if kind == DATA:
        return str(own_folder(value))
    path = Path(os.path.expanduser(value)).absolute()
    if not (os.path.isdir(path) if kind == FOLDER else os.path.isfile(path)):
        raise ParameterError(
            said(
                f"expected {kind} for {parameter.name}, and there is none at {path}. Correct the path.",
                f"para {parameter.name} se esperaba {SPANISH[kind]}, y en {path} no hay nada así. Corrija la ruta.",
            )
        )
    return str(path)


def _check_name(parameter: Parameter, value: str, framework: str) -> None:
    """Refuses a text that is not one of the parameter's, and a network that the framework does not know."""
    choices = parameter.choices
    if value in choices or not choices:
        return
    if not any(sign in parameter.comment for sign in OPEN):
        raise UnknownNameError(parameter.name, value, choices)
    if framework in FRAMEWORK_NAMES and (problem := _network_problem(framework, value)):
        more = f"{FRAMEWORK_NAMES[framework]} {said('says', 'dice')}: {problem}"
        raise UnknownNameError(parameter.name, value, choices, more)


@functools.cache
def _network_problem(framework: str, name: str) -> str:
    """What a framework says when asked for a network; nothing where it knows it."""
    code = f"import sys\nfrom tlhelpers.{framework}.networks import load_network\n{TRY_NETWORK[framework]}"
    command = [sys.executable, "-c", code, name]  # a process of its own: the two frameworks must not meet
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["no reason"])[-1] if done.returncode else ""
