"""What executed notebooks recorded: their claims, and the numbers that `record_result` wrote down."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tlhelpers.claims import CLAIM_MIME, RESULT_MIME, Claim
from tlhelpers.errors import TlhelpersError


@dataclass(frozen=True)
class Result:
    """Numbers that a notebook recorded under a name."""

    name: str
    fields: dict
    lesson: str = ""
    language: str = "en"
    framework: str = ""


def collect(notebooks: Iterable[Path], asserted: bool = True) -> list[Claim]:
    """All claims in executed notebooks, in their order, also those that failed.

    Args:
        notebooks: The executed notebooks.
        asserted: Leave out claims that were shown and not asserted, since their bounds were set for other parameters.

    Raises:
        TlhelpersError: A file is no notebook.
    """
    claims = [claim_of(record | about) for about, record in _records(notebooks, CLAIM_MIME)]
    return [claim for claim in claims if claim.asserted or not asserted]


def claim_of(record: dict) -> Claim:
    """The claim that a notebook's record is of."""
    known = {field.name for field in fields(Claim)}
    values = {key: value for key, value in record.items() if key in known}
    return Claim(**values | {"value": math.nan if record["value"] is None else record["value"]})


def collect_results(notebooks: Iterable[Path]) -> list[Result]:
    """All numbers that `record_result` left in executed notebooks, in their order.

    Raises:
        TlhelpersError: A file is no notebook.
    """
    return [Result(record["name"], record["fields"], **about) for about, record in _records(notebooks, RESULT_MIME)]


def _records(notebooks: Iterable[Path], mime: str) -> Iterator[tuple[dict, dict]]:
    for path in notebooks:
        try:
            notebook = json.loads(Path(path).read_text(encoding="utf-8"))
            cells, metadata = notebook["cells"], notebook["metadata"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TlhelpersError(f"{path}: expected an executed notebook, came something else: {error}.") from None
        about = {"lesson": Path(path).stem, "language": "en", "framework": ""} | metadata.get("tlhelpers", {})
        about = {key: about[key] for key in ("lesson", "language", "framework")}
        for cell in cells:
            for output in cell.get("outputs", []):
                if mime in output.get("data", {}):
                    yield about, output["data"][mime]
