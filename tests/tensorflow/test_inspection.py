"""What both mirrors promise of layers' features, filters and class activation maps, here for tensorflow."""

import pytest

from tests.inspection_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.tensorflow

    return tlhelpers.legacy.tensorflow


@pytest.fixture(scope="session")
def inspection():
    from tlhelpers.legacy.tensorflow import inspection

    return inspection
