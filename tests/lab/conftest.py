"""A lab of small drawings, made once: what the box sees, the labels, and the notebooks of the real lab."""

from pathlib import Path

import pytest

from tlcourse import lab_builder
from tlgrade.lab_data import write_lab_data

ROOT = Path(__file__).resolve().parents[2]
SECRET = f"{2**100 + 7:032x}"


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache that the tests of this folder share, without a classroom pack."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TLHELPERS_CACHE", str(folder))
        patch.delenv("TLHELPERS_LAB_DATA", raising=False)
        patch.delenv("TLHELPERS_LAB_OUT", raising=False)
        yield folder


@pytest.fixture(scope="session")
def box(cache, tmp_path_factory):
    """The folder that a box sees, with two hidden drawings a breed, and the labels: `(folder, labels)`."""
    folder = tmp_path_factory.mktemp("lab")
    labels = write_lab_data(
        folder / "box", folder / "labels.json", "drawn_pets_breeds", key=SECRET, image_size=32, drawn_a_breed=2
    )
    return folder / "box", labels


@pytest.fixture(scope="session")
def notebooks():
    """The real lab's notebooks: `notebooks[solved]` has a notebook for each `(language, framework)`."""

    def read(solved):
        made = lab_builder.make_notebooks(ROOT / "lab", solved=solved)
        return {(path.parent.name, path.stem.rsplit("_", 1)[1]): notebook for path, notebook in made.items()}

    return {solved: read(solved) for solved in (True, False)}
