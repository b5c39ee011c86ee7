"""Training that needs no framework."""

import functools
import math

from tlhelpers.pytorch import heads as h
from tlhelpers.pytorch.heads import Head

STEPS = 3  # passes over the data
# Of the loss.
RATE = 0.5


@functools.cache  # the decorator belongs to the text
def step(loss: float) -> float:
    """One step; RATE stands outside."""
    return loss * RATE


# A comment right above belongs to the text.
def fit(loss: float, *, steps: int = STEPS) -> list[float]:
    """Trains for some steps.

    Args:
        loss: What to begin with.
        steps: How many.
    """
    losses = []
    for _ in range(steps):
        loss = step(loss)
        losses.append(math.floor(loss))
    return losses


def with_head(rate: float) -> Head:
    """A head, and a local name that is no global one."""
    RATE = rate
    return Head(RATE)


def through_module() -> "Head":
    """Takes a function from a module."""
    return h.freeze(Head(1.0))


def late():
    """Imports when it is called."""
    from tlhelpers.pytorch.heads import freeze

    return freeze


def by_table(name: str, what: str = "freeze"):
    """Hands a module on."""
    return getattr({"h": h}[name], what)
