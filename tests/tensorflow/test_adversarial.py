"""What both mirrors promise of attacks and ideal images, here for tensorflow."""

import pytest

from tests.adversarial_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.tensorflow

    return tlhelpers.legacy.tensorflow
