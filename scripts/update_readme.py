"""Writes the tables of results into README.md and README.es.md, from what runs left behind.

    .venv/bin/python scripts/update_readme.py                          results/ of `make demo`
    .venv/bin/python scripts/update_readme.py results results/photos   several runs in one table

Each folder holds `results.json`, and `bench.json` (`make bench`) adds its table. What stands between the two markers is
replaced; nothing there is typed by hand. The claims have a page of their own: `scripts/claims_page.py`.
"""

import argparse
import json
import sys
from pathlib import Path

from tlcourse.ledger import accuracy_table, bench_table
from tlcourse.records import Result
from tlhelpers.errors import TlhelpersError
from tlhelpers.paths import atomic_path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- results:start -->", "<!-- results:end -->"
READMES = {"en": "README.md", "es": "README.es.md"}
BENCH = {
    "en": "What `make bench` measured, on two processor cores (timings are ratios within one run):",
    "es": "Lo que midió `make bench` en dos núcleos (los tiempos son cocientes dentro de una misma ejecución):",
}


def read_run(folder: Path) -> tuple[list[Result], dict[tuple[str, str], float]]:
    """What one run recorded: results, and seconds by lesson and framework.

    Raises:
        TlhelpersError: The folder holds no results, or files of another form.
    """
    try:
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        results = [Result(**record) for record in found["results"]]
        seconds = {(run["lesson"], run["framework"]): run["seconds"] for run in found["runs"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TlhelpersError(
            f"{folder}: expected the results.json of a run, came: {error}. Run `make demo` first."
        ) from None
    return results, seconds


def make_block(language: str, runs: list[tuple], bench: list[dict]) -> str:
    """What goes between the markers: a table of all runs' accuracies, one of the benchmarks."""
    tables = [accuracy_table(results, seconds, language).splitlines() for results, seconds in runs]
    parts = ["\n".join(tables[0] + [row for table in tables[1:] for row in table[2:]])]
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


if __name__ == "__main__":
    sys.exit(main())
