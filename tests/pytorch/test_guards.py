"""What both mirrors promise of guards that look into a model, here for pytorch."""

import pytest

from tests.guards_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.pytorch

    return tlhelpers.legacy.pytorch


@pytest.fixture
def optimizer_for():
    """Makes an optimizer of what is trainable now."""
    import torch

    return lambda model: torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
