"""Writes docs/claims.md and docs/afirmaciones.md: every claim of the built notebooks, with the numbers of their runs.

.venv/bin/python scripts/claims_page.py            write both pages
.venv/bin/python scripts/claims_page.py --check    change nothing; exit 1 where a page is not of these notebooks
"""

import argparse
import json
import sys
from pathlib import Path

from tlcourse.ledger import claims_table
from tlcourse.lessons import lesson_number
from tlcourse.records import collect
from tlcourse.variants import FRAMEWORK_NAMES
from tlhelpers.paths import atomic_path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"en": "claims.md", "es": "afirmaciones.md"}
HEADS = {
    "en": "# What the lessons claim\n\nIn Spanish: [afirmaciones.md](afirmaciones.md). Written by "
    "`scripts/claims_page.py` from the outputs of the English notebooks, which ran with the embedded data and "
    "backbone.\nEach row is a sentence of a lesson, what both frameworks measured, and the bound that stops the "
    "notebook when it is not met.",
    "es": "# Lo que afirman las lecciones\n\nEn inglés: [claims.md](claims.md). Lo escribe `scripts/claims_page.py` a "
    "partir de las salidas de los cuadernos en español, ejecutados con los datos y la red incluidos.\nCada fila es una "
    "frase de una lección, lo que midieron las dos bibliotecas y la cota que detiene el cuaderno si no se cumple.",
}
HELD = {
    "en": "{held} of {all} claims hold, in both frameworks.",
    "es": "Se cumplen {held} de {all}, en ambas bibliotecas.",
}


def make_page(language: str, notebooks: Path) -> str:
    """The page of one language."""
    parts, names, failed = [HEADS[language]], set(), set()
    for path in sorted((notebooks / "src").glob("*.py")):
        built = {f: notebooks / language / f"{path.stem}_{f}.ipynb" for f in FRAMEWORK_NAMES}
        claims = collect(built.values())
        names |= {(claim.lesson, claim.name) for claim in claims}
        failed |= {(claim.lesson, claim.name) for claim in claims if not claim.passed}
        title = _read_title(built["pytorch"])
        links = ", ".join(f"[{FRAMEWORK_NAMES[f]}](../notebooks/{language}/{p.name})" for f, p in built.items())
        rows = claims_table(claims).splitlines()
        table = "\n".join(f"|{row.split('|', 2)[2]}" for row in rows)  # the lesson stands above
        parts.append(f"## {lesson_number(path.stem)} {title}\n\n{links}\n\n{table}")
    parts.insert(1, HELD[language].format(held=len(names - failed), all=len(names)))
    return "\n\n".join(parts) + "\n"


def _read_title(notebook: Path) -> str:
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
    return first[0].lstrip("# ").strip()


def main(argv: list[str] | None = None) -> int:
    """Writes both pages, or compares them; 0 where all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder")
    args = parser.parse_args(argv)
    stale = 0
    for language, name in PAGES.items():
        path, page = args.root / "docs" / name, make_page(language, args.root / "notebooks")
        if args.check and (not path.exists() or path.read_text(encoding="utf-8") != page):
            print(
                f"docs/{name}: expected the claims of the built notebooks. Run scripts/claims_page.py", file=sys.stderr
            )
            stale = 1
        elif not args.check:
            with atomic_path(path) as temporary:
                temporary.write_text(page, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
