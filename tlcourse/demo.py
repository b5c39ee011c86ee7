"""`tlcourse demo`: the first lesson in both frameworks, and a table of what came out."""

import argparse
from pathlib import Path

from tlcourse.commands.run import find_targets, run_all
from tlcourse.ledger import write_results
from tlcourse.lessons import find_notebooks
from tlcourse.records import collect_results
from tlcourse.variants import FRAMEWORKS, LANGUAGES

LESSON = "01"
EMBEDDED = "drawn_pets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse demo`."""
    parser.add_argument("--dataset", default=EMBEDDED, help="drawn_pets (default, no download), or cats_vs_dogs")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the notebooks (%(default)s)")
    parser.add_argument("--framework", choices=(*FRAMEWORKS, "both"), default="both", help="default: both")
    parser.add_argument("--out", type=Path, default=Path("results"), help="where everything goes (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Runs the lesson, prints the table, and leaves notebooks, HTML and table in `--out`.

    Raises:
        NotebookFailedError: A notebook failed; the table of the others is printed before.
    """
    params = "sample.yaml" if args.dataset == EMBEDDED else "photos.yaml"
    targets = find_targets(LESSON, args.framework, args.language)
    done: list = []
    try:
        run_all(
            targets,
            args.out,
            html=True,
            done=done,
            params_file=find_notebooks() / "params" / params,
            parameters={"DATASET": args.dataset},
        )
    finally:
        if done:
            _report(done, args)
    return 0


def _report(done: list, args: argparse.Namespace) -> None:
    seconds = {}
    for result in done:
        lesson, framework = result.notebook.stem.rsplit("_", 1)
        seconds[lesson, framework] = result.seconds
    results = collect_results([result.output for result in done])
    _, table = write_results(results, seconds, args.out, args.language)
    print("\n" + table.read_text(encoding="utf-8"))
    print(f"Executed notebooks, their HTML and this table: {args.out.resolve()}")
