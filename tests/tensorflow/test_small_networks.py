"""What both mirrors promise of small networks, here for tensorflow."""

import pytest

from tests.small_networks_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def networks():
    import tlhelpers.legacy.tensorflow.small_networks

    return tlhelpers.legacy.tensorflow.small_networks
