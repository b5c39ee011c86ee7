"""Neutral."""


def share(right: int, of: int) -> float:
    """How many of all, as a fraction."""
    return right / of
