"""Runs notebooks with parameters, each in a kernel of its own, so that PyTorch and TensorFlow never meet."""

import ast
import contextlib
import difflib
import logging
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tlcourse.lessons import LESSON_NAME
from tlcourse.source_cells import PARAMETERS_TAG, strip_magics
from tlhelpers.errors import ParameterError, TlhelpersError
from tlhelpers.paths import atomic_path

CELL_SECONDS = 3600  # a cell that takes longer hangs
KERNEL_ARGUMENTS = ["--log-level=CRITICAL"]  # ipykernel warns of TCP at each start, and of a socket lost at Ctrl-C
FOLDER_VARIABLES = ("TLHELPERS_DATA", "TLHELPERS_CACHE")
INSTALL_HINTS = {  # missing module -> the extra that brings it
    "torch": "pytorch",
    "torchvision": "pytorch",
    "timm": "pytorch",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
}


class NotebookFailedError(TlhelpersError):
    """A cell of a notebook raised an error, took too long, or killed its kernel."""


@dataclass(frozen=True)
class RunResult:
    """A notebook that ran to its end."""

    notebook: Path
    output: Path  # the executed copy
    parameters: dict
    seconds: float  # wall-clock, with the start of the kernel


def run(
    notebook: Path,
    output: Path,
    parameters: dict | None = None,
    params_file: Path | None = None,
    progress: bool = True,
    timeout: float | None = CELL_SECONDS,
) -> RunResult:
    """Executes a notebook in its own folder and writes the executed copy to `output`.

    Args:
        notebook: The notebook to run; it is not changed.
        output: Where the executed copy goes. It is written beside its place and renamed; where a cell fails it is
            written too, as far as the notebook got.
        parameters: Values for names in the notebook's `parameters` cell.
        params_file: A YAML file of such values; `parameters` win over it.
        progress: Show a progress bar, one step a cell.
        timeout: Seconds that one cell may take; None for no limit.

    Raises:
        ParameterError: A parameter that the notebook does not have, or a value of another type; nothing was run.
        NotebookFailedError: A cell failed; the message names cell and exception.
    """
    notebook, output = Path(notebook).resolve(), Path(output).resolve()
    values = (read_params(params_file, notebook) if params_file else {}) | (parameters or {})
    check_parameters(notebook, values)
    output.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with atomic_path(output) as temporary, _absolute_folders(), _quiet_papermill():
        failure = _execute(notebook, temporary, values, progress, timeout)
        _forget_paths(temporary)
    if failure:
        raise NotebookFailedError(f"{failure}\nThe notebook as far as it got: {output}")
    return RunResult(notebook, output, values, time.perf_counter() - start)


def read_parameters(notebook: Path) -> dict[str, str]:
    """The names in a notebook's parameters cell, with their defaults as Python source.

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
    try:
        statements = ast.parse(strip_magics(tagged[0].source)).body
    except SyntaxError as error:
        raise ParameterError(f"{notebook}: its parameters cell is no Python code ({error}). Mend it.") from None
    found = {}
    for statement in statements:
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and isinstance(targets[0], ast.Name):
            found[targets[0].id] = ast.unparse(statement.value)
    return found


def read_params(path: Path, notebook: Path) -> dict:
    """Reads a YAML file of parameters for a notebook.

    A key that is a lesson's name, as `01_cats_vs_dogs:`, holds parameters that only this lesson's notebooks get. There
    a name without a value takes away the one that all lessons get, for a lesson that has no such parameter.

    Raises:
        ParameterError: No such file, no YAML, or no mapping of names to values.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ParameterError(f"{path}: expected a YAML file of parameters, came: {error}.") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ParameterError(f"{path}: expected lines `NAME: value`, came {values!r}. Write one parameter a line.")
    lessons = {key: values.pop(key) for key in list(values) if LESSON_NAME.fullmatch(key)}
    for lesson, own in lessons.items():
        if not isinstance(own, dict):
            raise ParameterError(f"{path}: expected parameters below {lesson}:, came {own!r}. Indent them below it.")
        if Path(notebook).stem.startswith(f"{lesson}_"):
            values = {name: value for name, value in (values | own).items() if value is not None or name not in own}
    return values


def check_parameters(notebook: Path, values: dict) -> None:
    """Refuses parameters that the notebook does not have, and values of another type than their default.

    Raises:
        ParameterError: With the name that was probably meant, and all names and defaults.
    """
    known = read_parameters(notebook)
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            table = "\n".join(f"  {key} = {default}" for key, default in known.items())
            raise ParameterError(
                f"{Path(notebook).name} has no parameter {name!r}.{hint} It has, with these defaults:\n{table}"
            )
        wanted = _kind(known[name])
        if wanted and (not isinstance(value, wanted[1]) or (isinstance(value, bool) and wanted[1] is not bool)):
            raise ParameterError(
                f"{Path(notebook).name}: expected a {wanted[0]} for {name} (its default is {known[name]}), "
                f"came {value!r}. Give a {wanted[0]}."
            )


def to_html(notebook: Path, html: Path) -> Path:
    """Writes an executed notebook as one HTML file with its images inside, that needs no network."""
    from tlcourse.html_report import to_html as write  # nbconvert takes half a second to import

    return write(notebook, html)


def _kind(default: str) -> tuple[str, type | tuple] | None:
    """Name and types of what may replace a default; None where anything may, as for None or an expression."""
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return None
    if isinstance(value, bool):
        return "bool", bool
    if isinstance(value, int | float):
        return "number", (int, float)
    if isinstance(value, str):
        return "string", str
    return ("list", (list, tuple)) if isinstance(value, list | tuple) else None


def _execute(notebook: Path, target: Path, values: dict, progress: bool, timeout: float | None) -> str | None:
    """Runs the notebook into `target`; what went wrong, in a few lines, or None."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    bar = {"desc": notebook.stem} if progress else False
    try:
        execute_notebook(
            str(notebook),
            str(target),
            parameters=values,
            kernel_name="python3",
            language="python",
            progress_bar=bar,
            cwd=str(notebook.parent),
            execution_timeout=timeout,
            extra_arguments=KERNEL_ARGUMENTS,
        )
    except PapermillExecutionError as error:
        return _describe(notebook, error)
    except CellTimeoutError:
        return (
            f"{notebook.name}: expected each cell to end within {timeout:g} seconds, and one did not. "
            "Take a smaller data set or fewer epochs, or allow more time with --timeout."
        )
    except DeadKernelError:
        return (
            f"{notebook.name}: its kernel died in the middle of a cell, most often for want of memory. "
            "Close other programs, or take a smaller data set or IMAGE_SIZE."
        )
    return None


def _describe(notebook: Path, error) -> str:
    source = [line for line in error.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    shown = "\n".join(f"    {line}" for line in source[:4]) + ("\n    ..." if len(source) > 4 else "")
    reason = f"{error.ename}: {error.evalue}".strip()
    lines = [f"{notebook.name} failed in its cell [{error.exec_count}]:", shown, reason]
    if error.ename == "ModuleNotFoundError":
        missing = error.evalue.split("'")[1::2]
        extra = INSTALL_HINTS.get(missing[0].split(".")[0]) if missing else None
        lines += [f'Install it with: pip install "tlhelpers[{extra}]"'] * bool(extra)
    return "\n".join(lines)


def _forget_paths(executed: Path) -> None:
    """papermill writes down where the notebook lay and where its copy was first written; neither is of use later."""
    import nbformat

    node = nbformat.read(executed, as_version=4)
    for key in ("input_path", "output_path"):
        node.metadata.get("papermill", {}).pop(key, None)
    nbformat.write(node, executed)


@contextlib.contextmanager
def _absolute_folders() -> Iterator[None]:
    """Kernels start in the notebook's folder, where a relative path in the environment would name another place."""
    before = {name: os.environ[name] for name in FOLDER_VARIABLES if os.environ.get(name)}
    os.environ.update({name: str(Path(value).expanduser().resolve()) for name, value in before.items()})
    try:
        yield
    finally:
        os.environ.update(before)


@contextlib.contextmanager
def _quiet_papermill() -> Iterator[None]:
    """papermill warns of what `check_parameters` has already decided, and of the name of a temporary file."""
    logger = logging.getLogger("papermill")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The specified file", module="papermill")
            yield
    finally:
        logger.setLevel(level)
