"""What both mirrors promise of fine-tuning, here for tensorflow."""

import pytest

from tests.fine_tuning_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.tensorflow

    return tlhelpers.legacy.tensorflow
