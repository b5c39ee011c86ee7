"""The errors that this package raises on purpose. Each message says what was expected, what came, and what to do.

TlhelpersError
├── DataNotFoundError      a data set or weights file is nowhere, and could not be fetched
├── DownloadError          a download broke off or is not the file that was expected
├── BrokenArchiveError     an archive cannot be read, or has members that point outside
├── DatasetError           too few images, an empty class, a folder that is no data set
├── UnknownNameError       a name that is not in a list; also a ValueError
├── WeightsError           a weights file of another architecture
├── ParameterError         a notebook parameter that the notebook does not have
├── LessonError            a lesson's source that the builder refuses
└── ClaimError             a claim that the measured number does not bear out; also an AssertionError
"""

import difflib
from collections.abc import Iterable


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
    """A name that is not in a list."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        known = sorted(known)
        close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        shown = known if len(known) <= 60 else [*known[:20], f"and {len(known) - 20} more"]
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(shown)}.")


class WeightsError(TlhelpersError):
    """A weights file of another architecture."""


class ParameterError(TlhelpersError):
    """A notebook parameter that the notebook does not have."""


class LessonError(TlhelpersError):
    """A lesson's source that the builder refuses."""


class ClaimError(TlhelpersError, AssertionError):
    """A claim that the measured number does not bear out."""
