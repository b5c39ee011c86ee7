"""What both mirrors promise of small networks, here for pytorch."""

import pytest

from tests.small_networks_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def networks():
    import tlhelpers.legacy.pytorch.small_networks

    return tlhelpers.legacy.pytorch.small_networks
