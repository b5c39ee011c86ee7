"""`tlcourse claims`: the claims of executed notebooks in one table."""

import argparse
from pathlib import Path

from tlcourse import ledger
from tlcourse.records import collect
from tlhelpers.errors import ClaimError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse claims`."""
    parser.add_argument("notebook", nargs="+", type=Path, metavar="NOTEBOOK", help="executed notebooks")
    parser.add_argument("--out", type=Path, default=Path("results"), help="where claims.json and .md go (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Writes the two files, prints the table, and reports claims that do not hold.

    Raises:
        ClaimError: A claim does not hold, or there is none; the files are written before.
    """
    claims = collect(sorted(args.notebook))
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
