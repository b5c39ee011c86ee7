"""What both mirrors promise, here for pytorch."""

import pytest

from tests.mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.pytorch

    return tlhelpers.legacy.pytorch
