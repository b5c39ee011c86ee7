"""The tiny lab, a client process, and a real box; what needs the box skips with the reason where there is none."""

import os
from pathlib import Path

import pytest

from tests.grading.processes import adopt_orphans
from tests.grading.tiny_lab import write_lab
from tlgrade.box import self_test
from tlgrade.lab import open_lab
from tlgrade.mounts import BoxError
from tlgrade.run_submission import ClientProcess
from tlgrade.settings import BoxSettings, limits_from


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory) -> Path:
    return write_lab(tmp_path_factory.mktemp("tiny") / "lab")


@pytest.fixture(scope="session")
def lab(lab_folder):
    return open_lab(str(lab_folder))


@pytest.fixture(scope="session")
def box() -> None:
    """Skips where no box can be built. What boxes leave behind stays among this process's descendants."""
    try:
        self_test()
        adopt_orphans()
    except BoxError as error:
        if os.environ.get("TLHELPERS_NEED_BOX"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def make_settings(box, lab):
    """Settings for the tiny lab, with limits that are given."""

    def make(**limits) -> BoxSettings:
        return BoxSettings(limits=limits_from(**{"wall": 20, **limits}), lab_data=lab.data)

    return make


@pytest.fixture(scope="session")
def client():
    process = ClientProcess()
    yield process
    process.close()
