"""Each lesson in tensorflow."""

import pytest

from tests.notebooks.lessons import *  # noqa: F403  (the tests themselves)


@pytest.fixture(scope="session")
def framework():
    return "tensorflow"
