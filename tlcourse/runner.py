"""Runs notebooks with parameters, each in a kernel of its own, so that PyTorch and TensorFlow never meet."""

import contextlib
import logging
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlcourse.parameters import check_parameters, read_params
from tlhelpers.errors import TlhelpersError
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
        ParameterError: A parameter that the notebook does not have, or a value that it cannot take; nothing was run.
        NotebookFailedError: A cell failed; the message names cell and exception.
    """
    notebook, output = Path(notebook).resolve(), Path(output).resolve()
    values = check_parameters(notebook, read_params(params_file, notebook) | (parameters or {}))
    output.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with atomic_path(output) as temporary, _absolute_folders(), _quiet_papermill():
        failure = _execute(notebook, temporary, values, progress, timeout)
        _forget_paths(temporary)
    if failure:
        raise NotebookFailedError(f"{failure}\nThe notebook as far as it got: {output}")
    return RunResult(notebook, output, values, time.perf_counter() - start)


def to_html(notebook: Path, html: Path) -> Path:
    """Writes an executed notebook as one HTML file with its images inside, that needs no network."""
    from tlcourse.html_report import to_html as write  # nbconvert takes half a second to import

    return write(notebook, html)


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
        lines += [f'In the clone of the course: pip install -e ".[{extra}]"'] * bool(extra)
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
