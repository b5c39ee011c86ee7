"""`tlcourse lab`: the lab's notebooks from their source."""

import argparse
from pathlib import Path

from tlcourse import lab_builder
from tlcourse.errors import LessonError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse lab`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser("build", help="make the learners' notebooks, and the solutions where asked for")
    build.add_argument("--check", action="store_true", help="change nothing; report notebooks that need a build")
    build.add_argument("--solutions", type=Path, metavar="FOLDER", help="also write the solution notebooks there")
    build.add_argument("--lab", type=Path, help="the folder with pets.yaml and src; default: found from here")
    build.add_argument("--debug", action="store_true", help="show where an error came from")


def run(args: argparse.Namespace) -> int:
    """Builds, or checks, and says what was done."""
    folder = args.lab or lab_builder.find_lab()
    if args.check:
        differences = lab_builder.check(folder)
        if differences:
            lines = "\n".join(f"  {line}" for line in differences)
            raise LessonError(
                f"expected the lab's notebooks as their source gives them, came others:\n{lines}\n"
                "Mend it with: tlcourse lab build"
            )
        print("The lab's notebooks are as their source gives them.")
        return 0
    for path in lab_builder.build(folder, args.solutions):
        print(path)
    return 0
