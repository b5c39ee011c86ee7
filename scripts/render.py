"""Writes every notebook of notebooks/en and notebooks/es, with the outputs it has, as one HTML file in results/html."""

from pathlib import Path

from tlcourse.runner import to_html
from tlcourse.variants import LANGUAGES

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Renders all and prints where each went."""
    for language in LANGUAGES:
        for notebook in sorted((ROOT / "notebooks" / language).glob("*.ipynb")):
            html = ROOT / "results" / "html" / language / f"{notebook.stem}.html"
            html.parent.mkdir(parents=True, exist_ok=True)
            print(to_html(notebook, html).relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main()
