"""The command `tlhelpers`, and what it shares with those of the course's other packages.

Each sub-command lives in a module that is imported only when it is asked for, so that `tlhelpers --help` is quick and
works where neither a framework nor the notebook tools are installed. An error that these packages raise on purpose
is printed as its message; `--debug` shows where it came from.
"""

import argparse
import importlib
import sys
from collections.abc import Mapping

from tlhelpers import __version__
from tlhelpers.errors import TlhelpersError, said

DESCRIPTION = "What learners need beside the notebooks of the course on transfer learning in computer vision."
COMMANDS = {  # name: (module with add_arguments(parser) and run(args), what it does)
    "doctor": ("tlhelpers.doctor", "say what is installed, what is missing, and how to mend it"),
    "fetch": ("tlhelpers.data.fetch", "bring data sets and weights, or pack them for a classroom"),
}
FAILED = 1
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C stopped
# What comes with a package that is installed from the clone.
PACKAGES = {"jupytext": "tlcourse", "nbconvert": "tlcourse", "papermill": "tlcourse", "distributed": "tlgrade",
            "nbclient": "tlgrade", "zmq": "tlgrade"}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Runs one sub-command of `tlhelpers`; see `run_command`."""
    return run_command("tlhelpers", DESCRIPTION, COMMANDS, argv)


def run_command(
    program: str, description: str, commands: Mapping[str, tuple[str, str]], argv: list[str] | None = None
) -> int:
    """Runs one sub-command of a program.

    Args:
        program: Its name, such as `tlhelpers`.
        description: What the program is for.
        commands: For each name a module with `add_arguments(parser)` and `run(args)`, and what the command does.
        argv: The arguments after the program's name; by default those of this process.

    Returns:
        The exit code: 0, 1 after an error that was reported, 130 after Ctrl-C. (argparse exits with 2 by itself.)
    """
    argv = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in argv if not word.startswith("-")), None)

    def run() -> int:
        parser = argparse.ArgumentParser(
            prog=program, description=description, epilog=f"{program} COMMAND --help tells what a command takes."
        )
        parser.add_argument("--version", action="version", version=f"{program} {__version__}")
        debug = argparse.ArgumentParser(add_help=False)
        debug.add_argument("--debug", action="store_true", help="show where an error came from")
        found = parser.add_subparsers(metavar="COMMAND", required=True)
        for name, (module, help_text) in commands.items():
            described = help_text[0].upper() + help_text[1:] + "."
            command = found.add_parser(name, help=help_text, description=described, parents=[debug])
            if name == chosen:  # the others are not imported
                implementation = importlib.import_module(module)
                implementation.add_arguments(command)
                command.set_defaults(run=implementation.run)
        args = parser.parse_args(argv)
        return args.run(args) or 0

    return report_errors(program, run, debug="--debug" in argv)


def report_errors(program: str, run, *, debug: bool) -> int:
    """Calls `run` and returns its exit code; an error meant for people is printed as its message, with code 1.

    So is an error of the system about a file. Characters that the terminal does not know are printed as `?`.

    Args:
        program: The name that begins the message.
        run: Takes nothing, returns an exit code.
        debug: Raise such errors instead, so that their trace is seen.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # Windows sends what is redirected as cp1252
    try:
        return run()
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return FAILED
    except TlhelpersError as error:
        if debug:
            raise
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        if debug or error.filename is None:
            raise
        mend = said("Correct the path.", "Corrija la ruta.")
        if isinstance(error, PermissionError):
            mend = said(
                "Take a folder to which this account has access, or change its rights.",
                "Tome una carpeta a la que esta cuenta tenga acceso o cambie sus permisos.",
            )
        print(f"{program}: {error.filename}: {error.strerror}. {mend}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if debug or missing not in {"torch", "tensorflow", *PACKAGES}:
            raise
        mend = "tlhelpers doctor says how to install it."
        if missing in PACKAGES:
            mend = f"Install it with: pip install -e ./{PACKAGES[missing]}  (in the clone of the course)"
        print(f"{program}: this needs {error.name}, which is not installed. {mend}", file=sys.stderr)
        return FAILED
