"""What a lesson says of a folder of photos before it begins, and how many labels it takes from it."""

import numpy as np
import pytest

from tlhelpers.data.datasets import load_splits
from tlhelpers.data.enough import labels_for
from tlhelpers.errors import LANGUAGE_VARIABLE, DatasetError

CLASSES = ("gatos de María", "perros", "ñandúes")


@pytest.fixture
def folder_of(own_cache, tmp_path, photo):
    """Makes a folder with so many photos of each class."""

    def make(*counts):
        folder = tmp_path / "mis fotos"
        for label, (name, n) in enumerate(zip(CLASSES, counts, strict=False)):
            (folder / name).mkdir(parents=True)
            for i in range(n):
                (folder / name / f"{i}.jpg").write_bytes(photo(100 * label + i))
        return folder

    return make


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv(LANGUAGE_VARIABLE, "en")


def test_a_small_folder_gets_fewer_labels_and_hears_why(folder_of, capsys):
    assert labels_for(folder_of(8, 8, 8), [50, 10], image_size=32) == [5, 3]
    said = capsys.readouterr().out
    assert "24 in 3 classes, 8 of each. Of each class 5 are to learn from, 1 for validation, 2 for testing" in said
    assert "on 6 photos is uncertain by up to ± 31 points" in said
    assert "asks for 50 and 10 labelled photos of each class, for which a folder needs about 80 of each" in said
    assert "it takes 5 and 3" in said
    assert "nothing stops" in said


def test_a_folder_with_enough_keeps_the_lessons_numbers(folder_of, capsys):
    assert labels_for(folder_of(12, 20), [8, 3], image_size=32) == [8, 3]
    said = capsys.readouterr().out
    assert "32 in 2 classes, 12 to 20 of each" in said
    assert "asks for" not in said


def test_it_speaks_spanish(folder_of, capsys, monkeypatch):
    monkeypatch.setenv(LANGUAGE_VARIABLE, "es")
    labels_for(folder_of(9, 12), [20], image_size=32)
    said = capsys.readouterr().out
    assert "Sus fotos: 21 en 2 clases, de 9 a 12 de cada una" in said
    assert "La lección pide 20 fotos etiquetadas de cada clase" in said


@pytest.mark.parametrize("how", [{}, {"test_fraction": 0.4}, {"max_per_class": 8, "val_fraction": 0.33}])
def test_so_many_can_be_drawn_whichever_way_the_lesson_splits(folder_of, how):
    folder = folder_of(8, 11)
    (most,) = labels_for(folder, [100], image_size=32, **how)
    train = load_splits(folder, image_size=32, progress=False, **how).train
    assert len(train.per_class(most)) == 2 * most
    with pytest.raises(DatasetError):
        train.per_class(most + 1)


def test_too_few_photos_are_refused_by_the_name_of_their_class(folder_of):
    with pytest.raises(DatasetError, match="need at least 8 photos of each class that can be used, and 'perros' has 7"):
        labels_for(folder_of(8, 7, 12), [5], image_size=32)


def test_a_training_part_that_is_too_small_is_refused(folder_of):
    folder = folder_of(*[8] * 2)
    for name in sorted(path.name for path in folder.iterdir()):
        for part, photos in {"train": range(2), "test": range(2, 8)}.items():
            (folder / part / name).mkdir(parents=True)
            for i in photos:
                (folder / name / f"{i}.jpg").rename(folder / part / name / f"{i}.jpg")
        (folder / name).rmdir()
    with pytest.raises(DatasetError, match="at least 3 photos of each class to learn from, and 'gatos de María' has 1"):
        labels_for(folder, [5], image_size=32)


def test_a_parameter_that_takes_too_few_is_named(folder_of):
    with pytest.raises(DatasetError, match=r"has 5 \(no more are taken than the parameter says\)"):
        labels_for(folder_of(20, 20), [5], image_size=32, max_per_class=5)


def test_files_that_cannot_be_used_are_named_at_the_start(folder_of, capsys):
    folder = folder_of(8, 8)
    (folder / "perros/rota.jpg").write_bytes(b"")
    labels_for(folder, [5], image_size=32)
    assert "perros/rota.jpg" in capsys.readouterr().out


def test_a_data_set_with_a_name_is_taken_as_it_is(capsys):
    assert labels_for("cats_vs_dogs", [50, 10], image_size=32) == [50, 10]
    assert capsys.readouterr().out == ""


def test_a_lesson_about_two_classes_takes_the_first_two_and_says_so(folder_of, capsys):
    whole = load_splits(folder_of(8, 8, 8), image_size=32, progress=False)
    two = whole.first_classes(2)
    assert "takes gatos de María, perros, and leaves out 1 more" in capsys.readouterr().out
    for part, before in ((two.train, whole.train), (two.val, whole.val), (two.test, whole.test)):
        assert part.class_names == CLASSES[:2]
        np.testing.assert_array_equal(part.ids, before.ids[before.labels < 2])
        assert all(name.startswith(CLASSES[label]) for name, label in zip(part.ids, part.labels, strict=True))
    assert two.first_classes(2) is two
    assert capsys.readouterr().out == ""
