"""The errors that this package raises on purpose. Each message says what was expected, what came, and what to do."""

import difflib
import os
from collections.abc import Iterable

LANGUAGE_VARIABLE = "TLHELPERS_LANGUAGE"


def said(en: str, es: str) -> str:
    """The text in the reader's language: the notebook's, which sets TLHELPERS_LANGUAGE, or else the system's."""
    language = os.environ.get(LANGUAGE_VARIABLE) or os.environ.get("LANG", "")
    return es if language.lower().startswith("es") else en


class TlhelpersError(Exception):
    """Base of all errors of this package."""


class DataNotFoundError(TlhelpersError):
    """A data set or weights file is nowhere, and could not be fetched."""


class DownloadError(TlhelpersError):
    """A download broke off or is not the file that was expected."""


class BrokenArchiveError(TlhelpersError):
    """An archive cannot be read, or has members that point outside."""


class DatasetError(TlhelpersError):
    """Too few images, an empty class, or a folder that is no data set."""


class UnknownNameError(TlhelpersError, ValueError):
    """A name that is not in a list; `more` is a sentence for the end of the message."""

    def __init__(self, kind: str, name: str, known: Iterable[str], more: str = ""):
        known = shown = sorted(known)
        close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.5)
        if len(known) > 60:
            shown = [*known[:20], said(f"and {len(known) - 20} more", f"y {len(known) - 20} más")]
        near, all_of_them = said(" or ", " o ").join(map(repr, close)), ", ".join(shown)
        super().__init__(
            said(
                f"Unknown {kind} {name!r}.{f' Did you mean {near}?' if close else ''} Known: {all_of_them}.",
                f"No se conoce {name!r} ({kind}).{f' ¿Quería decir {near}?' if close else ''} Hay: {all_of_them}.",
            )
            + f" {more}".rstrip()
        )


class WeightsError(TlhelpersError):
    """A weights file of another architecture."""


class ParameterError(TlhelpersError):
    """A parameter that is not there, or a value that it cannot take."""


class ClaimError(TlhelpersError, AssertionError):
    """A claim that the measured number does not bear out."""
