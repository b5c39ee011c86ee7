"""The tables that are made of executed notebooks: all claims, and the accuracies that lessons recorded."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tlcourse.records import Result
from tlcourse.variants import FRAMEWORK_NAMES, FRAMEWORKS, LANGUAGES
from tlhelpers.claims import Claim
from tlhelpers.paths import atomic_path

METHODS = ("frozen", "fine_tuned", "scratch")
NOTHING = "–"
CLAIM_HEADS = {
    "en": ("Lesson", "Claim", "Bound", "Holds", "yes", "**no**"),
    "es": ("Lección", "Afirmación", "Cota", "Se cumple", "sí", "**no**"),
}
ACCURACY_HEADS = {
    "en": ["Framework", "Data", "Backbone", "Labels a class", "Frozen", "Fine-tuned", "From scratch", "Seconds"],
    "es": ["Biblioteca", "Datos", "Red base", "Etiquetas por clase", "Congelada", "Ajuste fino", "Desde cero",
           "Segundos"],
}  # fmt: skip


def write_claims(claims: list[Claim], folder: Path) -> tuple[Path, Path]:
    """Writes `claims.json` (every claim with its numbers) and `claims.md` (a table for each language).

    Returns:
        The two paths.
    """
    records = [asdict(claim) | {"passed": claim.passed, "value": _finite(claim.value)} for claim in claims]
    return _write_both(folder, "claims", records, claims_table(claims))


def claims_table(claims: list[Claim]) -> str:
    """The claims as Markdown: one table for each language that occurs, the frameworks side by side."""
    parts = []
    for language in LANGUAGES:
        here = [claim for claim in claims if claim.language == language]
        if not here:
            continue
        lesson, sentence, bound, holds, yes, no = CLAIM_HEADS[language]
        frameworks = _frameworks(claim.framework for claim in here)
        names = [FRAMEWORK_NAMES.get(framework, framework) for framework in frameworks]
        rows = []
        for key, group in _side_by_side(here).items():
            first = next(iter(group.values()))
            values = [group[name].measured if name in group else NOTHING for name in frameworks]
            held = yes if all(claim.passed for claim in group.values()) else no
            rows.append([key[0], first.sentence, *values, first.bound, held])
        parts.append(markdown_table([lesson, sentence, *names, bound, holds], rows))
    return "\n\n".join(parts)


def write_results(
    results: list[Result], seconds: dict[tuple[str, str], float], folder: Path, language: str = "en"
) -> tuple[Path, Path]:
    """Writes `results.json` (everything recorded) and `results.md` (the table of accuracies).

    Args:
        results: What the notebooks recorded.
        seconds: Wall-clock seconds of each run, by lesson and framework.
        folder: Where the two files go.
        language: `en` or `es`, of the table's heads.

    Returns:
        The two paths.
    """
    runs = [{"lesson": lesson, "framework": framework, "seconds": s} for (lesson, framework), s in seconds.items()]
    record = {"results": [asdict(result) for result in results], "runs": runs}
    return _write_both(folder, "results", record, accuracy_table(results, seconds, language))


def accuracy_table(results: list[Result], seconds: dict[tuple[str, str], float], language: str = "en") -> str:
    """Test accuracy by method, with 95 % intervals and the steps it took, as Markdown.

    One row a run, data set, backbone and number of labels. The seconds are those of the whole run, in its first row.
    """
    rows: dict[tuple, dict[str, str]] = {(*run, NOTHING, NOTHING, NOTHING): {} for run in seconds}
    for result in results:
        if result.name == "accuracy":
            run, found = (result.lesson, result.framework), result.fields
            rows.pop((*run, NOTHING, NOTHING, NOTHING), None)
            what = (found.get(key, NOTHING) for key in ("data", "backbone", "labels_a_class"))
            rows.setdefault((*run, *what), {})[found.get("method")] = _accuracy(found, language)
    left = {run: f"{value:.0f}" for run, value in seconds.items()}
    table = [
        [
            FRAMEWORK_NAMES.get(framework, framework),
            data,
            backbone,
            str(labels),
            *(row.get(method, NOTHING) for method in METHODS),
            left.pop((lesson, framework), "" if (lesson, framework) in seconds else NOTHING),
        ]
        for (lesson, framework, data, backbone, labels), row in rows.items()
    ]
    return markdown_table(ACCURACY_HEADS[language], table)


def bench_table(figures: list[dict], language: str = "en") -> str:
    """What `make bench` measured against its bounds, as Markdown, one row a figure."""
    heads = {
        "en": ["part", "what", "measured", "bound", "met"],
        "es": ["parte", "qué", "medido", "cota", "se cumple"],
    }
    yes, no = {"en": ("yes", "no"), "es": ("sí", "no")}[language]
    rows = [
        [
            figure["part"],
            figure[language],
            f"{figure['value']:.3g} {figure['unit']}",
            f"{figure['sign']} {figure['bound']:g} {figure['unit']}",
            yes if figure["met"] else no,
        ]
        for figure in figures
    ]
    return markdown_table(heads[language], rows)


def markdown_table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table whose columns are also in line in a terminal."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def _side_by_side(claims: list[Claim]) -> dict[tuple, dict[str, Claim]]:
    """Claims by lesson, name and how often the name came before, then by framework; a repeated name loses nothing."""
    seen: Counter[tuple] = Counter()
    table: dict[tuple, dict[str, Claim]] = {}
    for claim in claims:
        seen[claim.lesson, claim.name, claim.framework] += 1
        key = (claim.lesson, claim.name, seen[claim.lesson, claim.name, claim.framework])
        table.setdefault(key, {})[claim.framework] = claim
    return table


def _frameworks(found: Iterable[str]) -> list[str]:
    found = set(found)
    return [name for name in FRAMEWORKS if name in found] + sorted(found - set(FRAMEWORKS))


def _accuracy(found: dict, language: str) -> str:
    """`93.4 % (90.1–95.9), 640 steps` from fractions and, where it is known, the number of optimizer steps."""
    value, low, high, steps = (found.get(key) for key in ("accuracy", "low", "high", "steps"))
    if value is None:
        return NOTHING
    interval = "" if low is None or high is None else f" ({100 * low:.1f}–{100 * high:.1f})"
    words = {"en": "steps", "es": "pasos"}[language]
    return f"{100 * value:.1f} %{interval}" + ("" if steps is None else f", {steps:.0f} {words}")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _write_both(folder: Path, stem: str, record, table: str) -> tuple[Path, Path]:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data, text = folder / f"{stem}.json", folder / f"{stem}.md"
    with atomic_path(data) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with atomic_path(text) as temporary:
        temporary.write_text(table + "\n", encoding="utf-8")
    return data, text
