"""`tlcourse claims`: the claims of executed notebooks in one table, or those of lessons that are run over seeds."""

import argparse
import sys
from pathlib import Path

from tlcourse import ledger
from tlcourse.commands.run import add_parameters, find_targets, parse_value
from tlcourse.lessons import find_notebooks, pick_sources
from tlcourse.records import collect
from tlcourse.variants import FRAMEWORKS
from tlhelpers.errors import ClaimError, DataNotFoundError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse claims`."""
    parser.add_argument(
        "target",
        nargs="*",
        metavar="NOTEBOOK_OR_LESSON",
        help="executed notebooks; with --seeds lessons such as 01, all by default",
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="where claims.json and .md go (%(default)s)")
    parser.add_argument(
        "--seeds",
        type=_count,
        metavar="N",
        help="run the lessons with the seeds 0 to N - 1. It may be stopped and called again: runs are kept in "
        "OUT/seeds. With the sample's parameters (no -f, no -p) the tables go into docs/claims_over_seeds.md",
    )
    parser.add_argument("--framework", choices=(*FRAMEWORKS, "both"), help="with --seeds; default: the installed ones")
    add_parameters(parser)


def run(args: argparse.Namespace) -> int:
    """Writes and prints the tables, and reports claims that do not hold.

    Raises:
        ClaimError: A claim does not hold, or there is none; the files are written before.
        DataNotFoundError: No notebook was named.
        NotebookFailedError: With --seeds: a run did not come to its end; the tables of the others are written before.
    """
    if args.seeds:
        return _over_seeds(args)
    if not args.target:
        raise DataNotFoundError("Expected executed notebooks, or --seeds N and lessons, came neither.")
    claims = collect(sorted(map(Path, args.target)))
    if not claims:
        raise ClaimError("Expected claims in these notebooks, came none. Run them first: tlcourse run LESSON")
    data, table = ledger.write_claims(claims, args.out)
    print(table.read_text(encoding="utf-8"))
    failed = [claim for claim in claims if not claim.passed]
    print(f"{len(claims) - len(failed)} of {len(claims)} claims hold. Written: {data}, {table}")
    if failed:
        lines = [
            f"  {claim.lesson} ({claim.framework}), {claim.name}: {claim.measured}, expected {claim.bound}"
            for claim in failed
        ]
        raise ClaimError("\n".join(["expected every claim to hold, and these do not:", *lines]))
    return 0


def _count(text: str) -> int:
    """A number of seeds; with 0 there would be nothing to run, and no claim would fail."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, came {text!r}")
    return int(text)


def _over_seeds(args: argparse.Namespace) -> int:
    from tlcourse import runner, seeds
    from tlcourse.parameters import check_parameters, read_params

    notebooks = find_notebooks()
    params_file = args.params_file or notebooks / "params" / "sample.yaml"
    given = {name: parse_value(text) for name, text in args.parameters}
    lessons = [source.stem for source in pick_sources(notebooks, args.target)]
    targets = [path for lesson in lessons for path in find_targets(lesson, args.framework, "en")]
    values = {path: read_params(params_file, path) | given for path in targets}
    for path in targets:
        checked = check_parameters(path, values[path] | {"SEED": 0})
        values[path] = {name: checked[name] for name in values[path]}
    failures, broken = [], []
    for path in targets:
        runs = seeds.run_seeds(path, range(args.seeds), args.out / "seeds", values[path], sys.stderr.isatty())
        failures += runs.failures.values()
        broken += runs.broken
        if runs.claims:
            print(f"\n{seeds.seeds_table(runs)}\n", flush=True)
            if not (args.params_file or given):
                seeds.write_section(notebooks.parent / "docs" / seeds.PAGE, runs)
    if failures:
        raise runner.NotebookFailedError("\n\n".join(failures))
    if broken:
        raise ClaimError("\n".join(["expected every claim to hold with each seed, and these do not:", *broken]))
    return 0
