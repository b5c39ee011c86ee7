"""`tlcourse build`: the notebooks from the lessons' sources."""

import argparse
from pathlib import Path

from tlcourse import builder, native, toolbox_page
from tlcourse.commands.run import add_selection, run_all, selected
from tlcourse.errors import LessonError
from tlcourse.lessons import find_notebooks, pick_sources, read_lesson
from tlcourse.outputs import adopt_run, check_outputs
from tlcourse.quizzes import check_quizzes, quiz_file

PARAMS = Path("params", "sample.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse build`."""
    parser.add_argument("lesson", nargs="*", metavar="LESSON", help="such as 01 or 01_cats_vs_dogs; default: all")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing; report notebooks that need a build")
    what.add_argument(
        "--check-outputs",
        action="store_true",
        help="like --check, and report code not run, and claims that do not hold",
    )
    what.add_argument(
        "--native", action="store_true", help="change nothing; count the framework's calls in the lessons"
    )
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
    for file in filter(Path.is_file, (quiz_file(source.stem) for source in sources)):
        check_quizzes(file)
    if args.native:
        print(native.report([read_lesson(source) for source in sources]))
        return 0
    if args.check or args.check_outputs:
        return _check(sources, notebooks, args.lesson, args.check_outputs)
    built = [path for source in sources for path in builder.build(source, notebooks, keep_outputs=not args.clear)]
    print(f"{len(built)} notebooks stand in {notebooks}.")
    for page in toolbox_page.write_pages(notebooks):
        print(f"{page.name} stands in {page.parent}.")
    if args.execute:
        chosen = [path for path in built if selected(path, args)]
        run_all(chosen, args.out, params_file=notebooks / PARAMS, after=adopt_run)
        print(f"{len(chosen)} of them hold the outputs of a new run.")
    return 0


def _check(sources: list[Path], notebooks: Path, lessons: list[str], outputs: bool) -> int:
    differences = builder.check(sources, notebooks, whole=not lessons) + toolbox_page.check_pages(notebooks)
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
    return _check_outputs(sources, notebooks) if outputs else 0


def _check_outputs(sources: list[Path], notebooks: Path) -> int:
    faults = [
        f"{path}: {fault}"
        for source in sources
        for path in builder.notebook_paths(notebooks, source.stem)
        for fault in check_outputs(read_lesson(source), path)
    ]
    if faults:
        raise LessonError(
            "expected the outputs of a whole run with the lesson's own parameters, came others:\n"
            + "\n".join(f"  {line}" for line in faults)
            + "\nMend it with: tlcourse build --execute LESSON"
        )
    print("Their outputs are those of a whole run, and all claims in them hold.")
    return 0
