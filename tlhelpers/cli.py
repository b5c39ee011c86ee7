"""The command `tlhelpers`.

Each sub-command lives in a module that is imported only when it is asked for, so that `tlhelpers --help` is quick and
works where neither a framework nor the notebook tools are installed. An error that this package raises on purpose
is printed as its message; `--debug` shows where it came from.
"""

import argparse
import importlib
import sys

from tlhelpers import __version__
from tlhelpers.errors import TlhelpersError

COMMANDS = {  # name: (module with add_arguments(parser) and run(args), what it does)
    "doctor": ("tlhelpers.doctor", "say what is installed, what is missing, and how to mend it"),
    "demo": ("tlhelpers.demo", "run lesson 01 in both frameworks and print a table of the results"),
    "fetch": ("tlhelpers.fetch", "bring data sets and weights, or pack them for a classroom"),
    "run": ("tlhelpers.commands.run", "run a lesson or a notebook with parameters"),
    "build": ("tlhelpers.commands.build", "make the notebooks from the lessons' sources"),
    "claims": ("tlhelpers.commands.claims", "collect the claims of executed notebooks in one table"),
    "lab": ("tlhelpers.commands.lab", "make the lab's notebooks from their source"),
    "grade": ("tlhelpers.commands.grade", "grade a folder of submissions of the lab, each in a box"),
    "pretrain": ("tlhelpers.commands.pretrain", "train the embedded backbone anew (PyTorch)"),
}
FAILED = 1
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C stopped
# What comes with an extra: the missing module, and the extra that brings it.
EXTRAS = {
    "torch": "pytorch",
    "tensorflow": "tensorflow",
    "papermill": "lab",
    "nbconvert": "lab",
    "distributed": "grading",
    "jupyter_client": "grading",
    "nbclient": "grading",
    "zmq": "grading",
    "jupytext": "dev",
}


def main(argv: list[str] | None = None) -> int:
    """Runs one sub-command.

    Args:
        argv: The arguments after the program's name; by default those of this process.

    Returns:
        The exit code: 0, 1 after an error that was reported, 130 after Ctrl-C. (argparse exits with 2 by itself.)
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        parser = _make_parser(chosen)
        args = parser.parse_args(argv)
        return args.run(args) or 0
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return FAILED
    except TlhelpersError as error:
        if debug:
            raise
        print(f"tlhelpers: {error}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if debug or extra is None:
            raise
        print(
            f"tlhelpers: this needs {error.name}, which is not installed. "
            f'Install it with: pip install "tlhelpers[{extra}]"',
            file=sys.stderr,
        )
        return FAILED


def _make_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser of all commands, with the arguments of the chosen one only: the others are not imported."""
    parser = argparse.ArgumentParser(
        prog="tlhelpers",
        description="Tools of a course on transfer learning in computer vision, in PyTorch and in TensorFlow.",
        epilog="tlhelpers COMMAND --help tells what a command takes.",
    )
    parser.add_argument("--version", action="version", version=f"tlhelpers {__version__}")
    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, help_text) in COMMANDS.items():
        described = help_text[0].upper() + help_text[1:] + "."
        command = commands.add_parser(name, help=help_text, description=described, parents=[debug])
        if name == chosen:
            implementation = importlib.import_module(module)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    return parser
