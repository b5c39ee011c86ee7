"""The error of authors' tools; like those of `tlhelpers.errors` it is printed as its message."""

from tlhelpers.errors import TlhelpersError


class LessonError(TlhelpersError):
    """A lesson's source that the builder refuses."""
