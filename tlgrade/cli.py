"""The command `tlgrade`."""

import argparse
import sys

from tlhelpers import __version__
from tlhelpers.cli import report_errors


def main(argv: list[str] | None = None) -> int:
    """Grades a folder of submissions and returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv

    def run() -> int:
        from tlgrade import commands  # an extra package that is missing is then told in a sentence

        parser = argparse.ArgumentParser(
            prog="tlgrade", description="Grades a folder of submissions of the lab, each notebook in a box."
        )
        parser.add_argument("--version", action="version", version=f"tlgrade {__version__}")
        parser.add_argument("--debug", action="store_true", help="show where an error came from")
        commands.add_arguments(parser)
        return commands.run(parser.parse_args(argv)) or 0

    return report_errors("tlgrade", run, debug="--debug" in argv)
