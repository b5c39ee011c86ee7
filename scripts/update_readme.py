"""Writes the tables of results into README.md and README.es.md, from what runs left behind.

    .venv/bin/python scripts/update_readme.py                          results/ of `make demo`
    .venv/bin/python scripts/update_readme.py results results/photos   several runs in one table

Each folder holds `results.json`; where one has `claims.json` too (`tlhelpers claims`), its claims are listed, and
`bench.json` (`make bench`) adds its table. What stands between the two markers is replaced; nothing there is typed by
hand.
"""

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

from tlhelpers.claims import Claim, Result
from tlhelpers.errors import TlhelpersError
from tlhelpers.ledger import accuracy_table, bench_table, claims_table
from tlhelpers.paths import atomic_path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- results:start -->", "<!-- results:end -->"
READMES = {"en": "README.md", "es": "README.es.md"}
CLAIMS = {
    "en": "What the lessons claim, and what was measured:",
    "es": "Lo que afirman las lecciones y lo que se midió:",
}
BENCH = {
    "en": "What `make bench` measured, on two processor cores (timings are ratios within one run):",
    "es": "Lo que midió `make bench` en dos núcleos (los tiempos son cocientes dentro de una misma ejecución):",
}


def read_run(folder: Path) -> tuple[list[Result], dict[tuple[str, str], float], list[Claim]]:
    """What one run recorded: results, seconds by lesson and framework, and claims (none where there is no file).

    Raises:
        TlhelpersError: The folder holds no results, or files of another form.
    """
    try:
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        results = [Result(**record) for record in found["results"]]
        seconds = {(run["lesson"], run["framework"]): run["seconds"] for run in found["runs"]}
        ledger = folder / "claims.json"
        claims = (
            [_claim(record) for record in json.loads(ledger.read_text(encoding="utf-8"))] if ledger.exists() else []
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TlhelpersError(
            f"{folder}: expected the results.json of a run, came: {error}. Run `make demo` first."
        ) from None
    return results, seconds, claims


def make_block(language: str, runs: list[tuple], bench: list[dict]) -> str:
    """What goes between the markers: a table of all runs' accuracies, one of their claims, one of the benchmarks."""
    tables = [accuracy_table(results, seconds, language).splitlines() for results, seconds, _ in runs]
    parts = ["\n".join(tables[0] + [row for table in tables[1:] for row in table[2:]])]
    claims = [claim for *_, found in runs for claim in found]
    # A claim has its sentence in both languages, so one language's run serves both files.
    here = [claim for claim in claims if claim.language == language] or [replace(c, language=language) for c in claims]
    parts += [CLAIMS[language], claims_table(here)] if here else []
    return "\n\n".join(parts + ([BENCH[language], bench_table(bench, language)] if bench else []))


def replace_block(text: str, block: str) -> str:
    """The text with what stands between the markers replaced.

    Raises:
        TlhelpersError: Not exactly one pair of markers, in order.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise TlhelpersError(f"Expected one line {START} and below it one line {END}. Put them back.")
    before, rest = text.split(START)
    return f"{before}{START}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def main(argv: list[str] | None = None) -> int:
    """Updates both files, or neither."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "results"], help="folders of results")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the two files are")
    args = parser.parse_args(argv)
    try:
        runs = [read_run(folder) for folder in args.folders]
        benches = [
            json.loads(file.read_text(encoding="utf-8")) for f in args.folders if (file := f / "bench.json").exists()
        ]
        bench = [figure for figures in benches for figure in figures]
        paths = {language: args.root / name for language, name in READMES.items()}
        new = {
            path: replace_block(path.read_text(encoding="utf-8"), make_block(language, runs, bench))
            for language, path in paths.items()
        }
    except TlhelpersError as error:
        print(f"update_readme: {error}", file=sys.stderr)
        return 1
    for path, text in new.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return 0


def _claim(record: dict) -> Claim:
    values = {key: value for key, value in record.items() if key != "passed"}
    return Claim(**values | {"value": math.nan if record["value"] is None else record["value"]})


if __name__ == "__main__":
    sys.exit(main())
