"""What both mirrors promise of layers' features, filters and class activation maps, here for pytorch."""

import pytest

from tests.inspection_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.pytorch

    return tlhelpers.legacy.pytorch


@pytest.fixture(scope="session")
def inspection():
    from tlhelpers.legacy.pytorch import inspection

    return inspection
