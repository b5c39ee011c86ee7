"""`tlcourse run`: a lesson or a notebook with parameters."""

import argparse
import ast
import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path

from tlcourse import runner
from tlcourse.builder import notebook_path
from tlcourse.lessons import find_notebooks, pick_sources
from tlcourse.parameters import check_parameters, read_params
from tlcourse.variants import FRAMEWORKS, LANGUAGES
from tlhelpers.errors import DataNotFoundError

MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse run`."""
    parser.add_argument("target", metavar="NOTEBOOK_OR_LESSON", help="a .ipynb file, or a lesson such as 01")
    add_selection(parser, "of a lesson; default: those that are installed", "of a lesson; default: en")
    add_parameters(parser)
    parser.add_argument("--out", type=Path, default=Path("results"), help="where executed notebooks go (%(default)s)")
    parser.add_argument("--html", action="store_true", help="also write each as one HTML file")
    parser.add_argument(
        "--timeout", type=float, default=runner.CELL_SECONDS, help="seconds that one cell may take (%(default)s)"
    )
    parser.add_argument("--no-progress", action="store_true", help="show no progress bar")


def add_selection(parser: argparse.ArgumentParser, framework: str, language: str) -> None:
    """Adds `--framework` and `--language`, with their help texts."""
    parser.add_argument("--framework", choices=(*FRAMEWORKS, "both"), help=framework)
    parser.add_argument("--language", choices=(*LANGUAGES, "both"), help=language)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Adds `-p` and `-f`."""
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], dest="parameters", metavar=("NAME", "VALUE"), help="a parameter"
    )
    parser.add_argument("-f", type=Path, dest="params_file", metavar="FILE", help="a YAML file of parameters")


def run(args: argparse.Namespace) -> int:
    """Runs the chosen notebooks one after the other, and says where they are."""
    values = {name: parse_value(text) for name, text in args.parameters}
    done = run_all(
        find_targets(args.target, args.framework, args.language),
        args.out,
        parameters=values,
        params_file=args.params_file,
        progress=not args.no_progress,
        timeout=args.timeout,
        html=args.html,
    )
    for result in done:
        print(f"{result.output}  {result.seconds:.0f} s")
    return 0


def run_all(
    notebooks: Iterable[Path],
    out: Path,
    *,
    html: bool = False,
    after: Callable[[Path, Path], None] | None = None,
    done: list[runner.RunResult] | None = None,
    **options,
) -> list[runner.RunResult]:
    """Runs notebooks; one that fails does not keep the others from running.

    Args:
        notebooks: What to run.
        out: The folder for the executed copies.
        html: Also write HTML, of failed ones too.
        after: Called with the notebook and its executed copy after each that ran to its end.
        done: A list to append the results to, for a caller that wants them even after a failure.
        **options: As for `runner.run`.

    Raises:
        NotebookFailedError: At least one failed; the message has all failures.
        ParameterError: A parameter that a notebook does not have; nothing was run.
    """
    notebooks, done, failures = list(notebooks), [] if done is None else done, []
    params_file, parameters = options.get("params_file"), options.get("parameters")
    for notebook in notebooks:
        check_parameters(notebook, read_params(params_file, notebook) | (parameters or {}))
    for notebook in notebooks:
        output = output_path(notebook, out)
        try:
            done.append(runner.run(notebook, output, **options))
            if after:
                after(notebook, output)
        except runner.NotebookFailedError as error:
            failures.append(str(error))
        if html:
            runner.to_html(output, output.with_suffix(".html"))
    if failures:
        raise runner.NotebookFailedError("\n\n".join(failures))
    return done


def output_path(notebook: Path, out: Path) -> Path:
    """Where the executed copy goes; those of a lesson carry their language, since all lie in one folder."""
    language = notebook.resolve().parent.name
    ending = f"_{language}" if language in LANGUAGES else ""
    return Path(out) / f"{notebook.stem}{ending}.ipynb"


def find_targets(target: str, framework: str | None, language: str | None) -> list[Path]:
    """The notebooks that a path or the name of a lesson stands for.

    Raises:
        DataNotFoundError: A notebook was not built, or neither framework is installed.
        UnknownNameError: No such lesson.
    """
    if target.endswith(".ipynb"):
        return [Path(target)]
    notebooks = find_notebooks()
    (source,) = pick_sources(notebooks, [target])
    languages = LANGUAGES if language == "both" else (language or "en",)
    paths = [notebook_path(notebooks, source.stem, lang, name) for lang in languages for name in _frameworks(framework)]
    for path in paths:
        if not path.exists():
            raise DataNotFoundError(f"Expected the notebook {path}, and it is not there. Run: tlcourse build {target}")
    return paths


def selected(path: Path, args: argparse.Namespace) -> bool:
    """Whether `--framework` and `--language` leave this built notebook in; without them all are."""
    framework = path.stem.rsplit("_", 1)[1]
    return args.framework in (None, "both", framework) and args.language in (None, "both", path.parent.name)


def parse_value(text: str) -> int | float | bool | str | list | None:
    """A value from the command line: a Python constant where it is one, else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _frameworks(chosen: str | None) -> tuple[str, ...]:
    if chosen:
        return FRAMEWORKS if chosen == "both" else (chosen,)
    installed = tuple(name for name in FRAMEWORKS if importlib.util.find_spec(MODULES[name]))
    if not installed:
        raise DataNotFoundError(
            "Expected PyTorch or TensorFlow, and neither is installed. "
            'In the clone of the course: pip install -e ".[pytorch]", or pip install -e ".[tensorflow]"'
        )
    return installed
