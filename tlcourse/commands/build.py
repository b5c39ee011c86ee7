"""`tlcourse build`: the notebooks from the lessons' sources."""

import argparse
from pathlib import Path

from tlcourse import builder
from tlcourse.commands.run import add_selection, run_all, selected
from tlcourse.lessons import find_notebooks, pick_sources
from tlhelpers.errors import LessonError

PARAMS = Path("params", "sample.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse build`."""
    parser.add_argument("lesson", nargs="*", metavar="LESSON", help="such as 01 or 01_cats_vs_dogs; default: all")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing; report notebooks that need a build")
    what.add_argument("--execute", action="store_true", help="also run the notebooks, and keep their outputs in them")
    parser.add_argument("--clear", action="store_true", help="drop the outputs that the notebooks have")
    parser.add_argument("--notebooks", type=Path, help="the folder with src, en and es; default: found from here")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="where --execute leaves its copies (%(default)s)"
    )
    add_selection(parser, "with --execute: run only these; default: both", "likewise; default: both")


def run(args: argparse.Namespace) -> int:
    """Builds, or checks, and says what was done."""
    notebooks = args.notebooks or find_notebooks()
    sources = pick_sources(notebooks, args.lesson)
    if args.check:
        return _check(sources, notebooks, args.lesson)
    built = [path for source in sources for path in builder.build(source, notebooks, keep_outputs=not args.clear)]
    print(f"{len(built)} notebooks stand in {notebooks}.")
    if args.execute:
        chosen = [path for path in built if selected(path, args)]
        run_all(chosen, args.out, params_file=notebooks / PARAMS, after=builder.adopt_run)
        print(f"{len(chosen)} of them hold the outputs of a new run.")
    return 0


def _check(sources: list[Path], notebooks: Path, lessons: list[str]) -> int:
    differences = builder.check(sources, notebooks, whole=not lessons)
    if differences:
        command = " ".join(["tlcourse build", *lessons])
        stray = any("no source gives" in line for line in differences)
        raise LessonError(
            "expected the notebooks that the sources give, came others:\n"
            + "\n".join(f"  {line}" for line in differences)
            + f"\nMend it with: {command}"
            + (" (and delete, or give a source to, each notebook that has none)" if stray else "")
        )
    print(f"The notebooks of {len(sources)} lessons are as their sources give them.")
    return 0
