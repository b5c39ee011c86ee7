"""The errors of authors' tools; like those of `tlhelpers.errors` they are printed as their message."""

from tlhelpers.errors import TlhelpersError


class LessonError(TlhelpersError):
    """A lesson's source that the builder refuses."""
