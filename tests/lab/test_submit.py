"""Loading and handing in: what is written, and what is refused with a reason that a beginner can act on."""

import json
import os

import numpy as np
import pytest

from tlgrade.lab_data import write_lab_data
from tlgrade.scoring import LabError, parse_predictions, read_definition, score_predictions
from tlhelpers import lab
from tlhelpers.errors import UnknownNameError
from tlhelpers.lab import data as lab_data

REAL_DATA = os.environ.get("TLHELPERS_DATA")


@pytest.fixture
def data(box, tmp_path, monkeypatch):
    monkeypatch.setenv("TLHELPERS_LAB_DATA", str(box[0]))
    monkeypatch.setenv("TLHELPERS_LAB_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "en")  # as before, when the test is over: `load` sets it
    return lab.load("drawn_pets_breeds", image_size=32, language="en")


def three_of(data):
    return np.tile([0, 1, 2], (len(data.hidden), 1))


def test_what_the_box_sees_has_no_label_of_a_hidden_image(box):
    folder, labels = box
    assert sorted(path.name for path in folder.iterdir()) == ["classes.json", "hidden.npz", "train.npz", "val.npz"]
    with np.load(folder / "hidden.npz", allow_pickle=False) as hidden:
        assert sorted(hidden.files) == ["ids", "images"]
        ids = hidden["ids"].tolist()
    assert sorted(ids) == sorted(labels)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in ids)
    breeds = [labels[name] for name in ids]
    assert breeds != sorted(breeds)  # nor does the order tell
    assert breeds != [i % 16 for i in range(len(breeds))]
    assert np.bincount(breeds).tolist() == [2] * 16


def test_hidden_drawings_are_in_no_public_part(box, cache):
    hidden = lab_data.read_lab_data(box[0]).hidden.images
    public = lab_data.load_public("drawn_pets_breeds", image_size=32)
    seen = {image.tobytes() for part in (public.train, public.val, public.hidden) for image in part.images}
    assert not seen & {image.tobytes() for image in hidden}


def test_the_same_key_writes_the_same_and_another_key_other_pictures(box, cache, tmp_path):
    for name, number in (("same", 2**100 + 7), ("other", 2**100 + 8)):
        labels = write_lab_data(
            tmp_path / name,
            tmp_path / f"{name}.json",
            "drawn_pets_breeds",
            key=f"{number:032x}",
            image_size=32,
            drawn_a_breed=2,
        )
        assert json.loads((tmp_path / f"{name}.json").read_text()) == labels
        assert (labels == box[1]) is (name == "same")
        images = lab_data.read_lab_data(tmp_path / name).hidden.images
        assert np.array_equal(images, lab_data.read_lab_data(box[0]).hidden.images) is (name == "same")


def test_labels_inside_the_folder_of_the_box_are_refused(cache, tmp_path):
    with pytest.raises(LabError, match="expected the labels outside"):
        write_lab_data(tmp_path, tmp_path / "x" / "l.json", "drawn_pets_breeds", key="1" * 32, image_size=32)
    with pytest.raises(UnknownNameError, match="drawn_pets_breeds"):
        lab_data.load_public("drawn_pets", image_size=32)


def test_learners_and_the_box_train_on_the_same_images(data, cache, monkeypatch):
    monkeypatch.delenv("TLHELPERS_LAB_DATA")
    public = lab.load("drawn_pets_breeds", image_size=32)
    for part in ("train", "val"):
        assert np.array_equal(getattr(public, part).images, getattr(data, part).images)
        assert np.array_equal(getattr(public, part).labels, getattr(data, part).labels)
    assert (public.class_names, public.species) == (data.class_names, data.species)
    assert not hasattr(public.hidden, "labels")


def test_the_box_gives_the_size_that_a_notebook_asks_for(data):
    other = lab.load("drawn_pets_breeds", image_size=24)
    assert other.image_size == 24
    assert other.train.images.shape[1:] == other.hidden.images.shape[1:] == (24, 24, 3)
    assert other.hidden.ids.tolist() == data.hidden.ids.tolist()


def test_a_damaged_folder_is_told(data, tmp_path, monkeypatch):
    monkeypatch.setenv("TLHELPERS_LAB_DATA", str(tmp_path / "nothing"))
    with pytest.raises(LabError, match="expected the lab's files"):
        lab.load("drawn_pets_breeds", image_size=32)


def test_the_species_of_a_breed_is_that_of_the_drawing(box):
    data = lab_data.read_lab_data(box[0])
    species = dict(zip(data.class_names, data.species, strict=True))
    assert (species["siamese"], species["german shepherd"]) == ("cat", "dog")
    assert data.species_labels(np.array([0, 1])).tolist() == [0, 1]


def test_the_species_of_real_breeds_are_the_official_ones(tmp_path, monkeypatch):
    if not REAL_DATA:
        pytest.skip("needs the photos in TLHELPERS_DATA")
    monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
    from tlhelpers.data.datasets import load_splits

    how = {"image_size": 32, "val_fraction": lab_data.VAL_FRACTION, "progress": False}
    official = load_splits("oxford_pets_species", **how)
    kind = {
        name: official.train.class_names[label]
        for part in (official.train, official.val, official.test)
        for name, label in zip(part.ids, part.labels, strict=True)
    }
    breeds = load_splits("oxford_pets_breeds", **how)
    species = lab_data.species_of("oxford_pets_breeds", breeds.test.class_names)
    assert species.count("cat") == 12
    assert [species[label] for label in breeds.test.labels] == [kind[name] for name in breeds.test.ids]


def test_right_predictions_are_written_whole_and_score_one(data, box, capsys):
    labels = box[1]
    best = np.array([[labels[name], (labels[name] + 1) % 16, (labels[name] + 2) % 16] for name in data.hidden.ids])
    path = lab.submit(data, best, data.species_labels(best[:, 0]))
    assert [entry.name for entry in path.parent.iterdir()] == ["predictions.csv"]
    assert capsys.readouterr().out == (
        "✓ predictions.csv is complete: 32 images, three breeds and a species for each.\n"
    )
    rows = parse_predictions(path.read_text(encoding="utf-8"), len(labels))
    classes = json.loads((box[0] / "classes.json").read_text(encoding="utf-8"))
    for measure in ("top1", "macro", "top3", "species"):
        assert score_predictions(rows, labels, classes, measure).value == 1


def test_names_and_numbers_give_the_same_file(data):
    three = three_of(data)
    first = lab.submit(data, three, task="baseline").read_text()
    names = [[data.class_names[k] for k in row] for row in three]
    assert lab.submit(data, names, task="baseline").read_text() == first


def change(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d: {"three": three_of(d)[:-1]}, "32 images to predict, and 31 rows came"),
        (lambda d: {"three": three_of(d)[:, 0]}, "expected three breeds an image, shape (32, 3), came shape (32,)"),
        (lambda d: {"three": np.full((32, 16), 1 / 16)}, "lab.best_three(probabilities)"),
        (lambda d: {"three": change(three_of(d).astype(float), (3, 1), np.nan)}, "not a number (NaN)"),
        (lambda d: {"three": three_of(d).astype(float)}, "expected breeds as names, or as whole numbers from 0 to 15"),
        (lambda d: {"three": three_of(d) + 14}, "whole numbers from 0 to 15"),
        (lambda d: {"three": three_of(d) - 1}, "whole numbers from 0 to 15"),
        (lambda d: {"three": three_of(d) * 0}, "the same breed twice in 32 rows"),
        (lambda d: {"three": [["siamese", "pug", "beagel"]] * 32}, "did you mean 'beagle'?"),
        (lambda d: {"three": three_of(d), "species": [0] * 31}, "expected one species an image"),
        (lambda d: {"three": three_of(d), "species": np.full(32, 0.3)}, "take .argmax(1)"),
        (lambda d: {"three": three_of(d), "species": ["fish"] * 32}, "came 'fish'"),
        (lambda d: {"three": three_of(d), "task": "finale"}, "expected task among"),
    ],
)
def test_what_cannot_be_scored_is_not_written(data, make, says, tmp_path):
    with pytest.raises(lab.SubmissionError) as caught:
        lab.submit(data, **make(data))
    assert "was not written" in str(caught.value)
    assert says in str(caught.value)
    assert not list(tmp_path.rglob("*.csv"))
    assert caught.value._render_traceback_() == [str(caught.value)]  # a notebook shows the message and no more


def test_a_refusal_speaks_the_learners_language(box, monkeypatch, tmp_path):
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "en")
    monkeypatch.setenv("TLHELPERS_LAB_DATA", str(box[0]))
    data = lab.load("drawn_pets_breeds", image_size=32, language="es")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        lab.SubmissionError, match=r"No se ha escrito predictions\.csv:\n- hay que predecir 32 imágenes"
    ):
        lab.submit(data, three_of(data)[:5])


def test_without_a_grader_the_file_goes_into_the_current_folder(box, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = lab_data.read_lab_data(box[0])
    lab.submit(data, three_of(data), task="baseline")
    assert [path.name for path in tmp_path.iterdir()] == ["predictions_baseline.csv"]


def test_a_file_that_was_handed_in_survives_a_refused_one(data):
    path = lab.submit(data, three_of(data))
    before = path.read_bytes()
    with pytest.raises(lab.SubmissionError):
        lab.submit(data, three_of(data) * 0)
    assert path.read_bytes() == before


def test_the_tasks_are_those_of_the_definition():
    from tlcourse.lab_builder import find_lab

    definition = read_definition(find_lab() / "pets.yaml")
    files = {task["file"] for task in definition["tasks"] if task["kind"] == "predictions"}
    assert files == {"predictions.csv" if task == "final" else f"predictions_{task}.csv" for task in lab.TASKS}
    assert tuple(definition["datasets"]) == lab_data.DATASETS
