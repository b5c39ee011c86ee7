"""Predictions as a lab's notebook hands them in: a table of CSV, and what can be wrong with one."""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tlhelpers.errors import TlhelpersError

COLUMNS = ("id", "first", "second", "third", "species")
LINES_AN_IMAGE = 10  # where a file has empty lines
SHOWN = 12  # characters of a learner's text that a message repeats: it must carry no hidden image out


class LabError(TlhelpersError):
    """A lab's definition or data that are not as they should be."""


class Problem(NamedTuple):
    """One thing that is wrong with predictions, in both languages."""

    en: str
    es: str


class PredictionsError(TlhelpersError):
    """Predictions that cannot be scored; `problems` says why, in both languages."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.en for problem in problems))


def parse_predictions(text: str, images: int) -> list[dict[str, str]]:
    """Rows of a predictions file, a dictionary of `COLUMNS` each.

    Args:
        text: The file's content; empty lines are passed over.
        images: How many rows there can be at most; the file is read no further.

    Raises:
        PredictionsError: Another header, a row of another length, too many rows, or no CSV.
    """
    rows, wanted = [], ",".join(COLUMNS)
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = ",".join(next(lines, []))
        if header != wanted:
            came = _show(header)
            en = f"expected the first line {wanted}, came {came}"
            raise PredictionsError([Problem(en, f"se esperaba la primera línea {wanted} y se encontró {came}")])
        for line in lines:
            if line and len(line) != len(COLUMNS):
                en = f"expected {len(COLUMNS)} fields in line {lines.line_num}, came {len(line)}"
                es = f"se esperaban {len(COLUMNS)} campos en la línea {lines.line_num} y hay {len(line)}"
                raise PredictionsError([Problem(en, es)])
            if len(rows) > images or lines.line_num > images * LINES_AN_IMAGE:
                en = f"more than {images} rows, a row an image"
                raise PredictionsError([Problem(en, f"más de {images} filas; debe haber una por imagen")])
            rows += [dict(zip(COLUMNS, line, strict=True))] if line else []
    except csv.Error as error:
        en = f"expected a table in CSV, came something else: {error}"
        raise PredictionsError([Problem(en, f"se esperaba una tabla CSV: {error}")]) from None
    return rows


def find_problems(rows: Sequence[Mapping[str, str]], ids: Sequence[str], classes: Mapping) -> list[Problem]:
    """What is wrong with rows of predictions; empty when they can be scored.

    Args:
        rows: As from `parse_predictions`.
        ids: Those of the hidden images.
        classes: With `breeds`, their names, as in `classes.json`.
    """
    problems, wanted, came = [], set(ids), Counter(row["id"] for row in rows)
    missing, unknown = [name for name in ids if name not in came], [name for name in came if name not in wanted]
    repeated = [name for name, count in came.items() if count > 1]
    if missing:
        en = f"no row for {len(missing)} of {len(ids)} images, such as {missing[0]}"
        es = f"no hay fila para {len(missing)} de las {len(ids)} imágenes; por ejemplo, {missing[0]}"
        problems.append(Problem(en, es))
    if unknown:
        en = f"ids that no image has ({len(unknown)}), such as {_show(unknown[0])}"
        es = f"hay identificadores que no son de ninguna imagen ({len(unknown)}); por ejemplo, {_show(unknown[0])}"
        problems.append(Problem(en, es))
    if repeated:
        en = f"more than one row for {len(repeated)} images, such as {_show(repeated[0])}"
        es = f"hay más de una fila para {len(repeated)} imágenes; por ejemplo, {_show(repeated[0])}"
        problems.append(Problem(en, es))
    problems += _find_wrong_breeds(rows, classes["breeds"])
    strange = [row["species"] for row in rows if row["species"] not in ("cat", "dog", "")]
    if strange:
        en = f'expected the species "cat", "dog" or nothing, came {_show(strange[0])}'
        es = f'como especie se esperaba "cat", "dog" o nada y se encontró {_show(strange[0])}'
        problems.append(Problem(en, es))
    return problems


def _find_wrong_breeds(rows: Sequence[Mapping[str, str]], breeds: Sequence[str]) -> list[Problem]:
    known, problems = set(breeds), []
    strange = Counter(name for row in rows for name in three_breeds(row) if name not in known)
    if strange:
        name = next(iter(strange))
        close = difflib.get_close_matches(name[:40], breeds, n=1)
        ask = (f" (did you mean {close[0]!r}?)", f" (¿quería decir {close[0]!r}?)") if close else ("", "")
        en = f"names that are no breed of this data set ({strange.total()} times), such as {_show(name)}{ask[0]}"
        es = f"hay nombres que no son razas de este conjunto ({strange.total()} veces), como {_show(name)}{ask[1]}"
        problems.append(Problem(en, es))
    doubled = [row for row in rows if len(set(three_breeds(row))) < 3]
    if doubled:
        name = _show(doubled[0]["id"])
        en = f"the same breed twice in {len(doubled)} rows, such as that of {name}; name three different ones"
        es = f"hay {len(doubled)} filas con una raza repetida, como la de {name}; indique tres razas distintas"
        problems.append(Problem(en, es))
    return problems


def three_breeds(row: Mapping[str, str]) -> tuple[str, str, str]:
    """The three names of a row, the most probable first."""
    return row["first"], row["second"], row["third"]


def _show(text: str) -> str:
    shown = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text[:SHOWN])
    return repr(shown + "…" * (len(text) > SHOWN))
