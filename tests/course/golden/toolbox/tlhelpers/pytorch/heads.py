"""Heads."""


class Head:
    """The last layer."""

    def __init__(self, rate: float):
        self.rate = rate

    def __call__(self, x: float) -> float:
        return self.rate * x


def freeze(head: Head) -> Head:
    """Nothing learns any more."""
    return head
