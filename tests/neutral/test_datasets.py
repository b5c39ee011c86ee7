import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.data.datasets import load_splits
from tlhelpers.data.splits import Dataset, divide, hashed_order
from tlhelpers.errors import BrokenArchiveError, DataNotFoundError, DatasetError, UnknownNameError


def load(name, size=32, **options):
    return load_splits(name, image_size=size, progress=False, **options)


def all_ids(splits):
    return [set(part.ids) for part in (splits.train, splits.val, splits.test)]


@st.composite
def labelled(draw):
    counts = draw(st.lists(st.integers(3, 60), min_size=2, max_size=5))
    ids = [f"class {label}/{i}.jpg" for label, n in enumerate(counts) for i in range(n)]
    return ids, np.repeat(np.arange(len(counts)), counts), [f"class {i}" for i in range(len(counts))]


@settings(deadline=None, max_examples=60)
@given(labelled(), st.integers(0, 5), st.floats(0.05, 0.45), st.floats(0.05, 0.45))
def test_division_is_complete_disjoint_and_stratified(data, seed, test_fraction, val_fraction):
    ids, labels, names = data
    how = {"seed": seed, "test_fraction": test_fraction, "val_fraction": val_fraction}
    parts = divide(ids, labels, names, **how)
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == list(range(len(ids)))
    for label in range(len(names)):
        n = int((labels == label).sum())
        test, val, train = (int((labels[parts[part]] == label).sum()) for part in ("test", "val", "train"))
        assert min(test, val, train) >= 1
        if n >= 20:
            assert abs(test - test_fraction * n) <= 1
            assert abs(val - val_fraction * n) <= 1
    assert divide(ids, labels, names, **how) == parts


@settings(deadline=None, max_examples=30)
@given(labelled(), st.randoms(use_true_random=False))
def test_division_does_not_depend_on_the_order_of_files(data, random):
    ids, labels, names = data
    how = {"seed": 1, "test_fraction": 0.2, "val_fraction": 0.1}
    places = list(range(len(ids)))
    random.shuffle(places)
    shuffled = [ids[i] for i in places]
    here, there = divide(ids, labels, names, **how), divide(shuffled, labels[places], names, **how)
    for part in ("train", "test"):
        assert [ids[i] for i in here[part]] == [shuffled[i] for i in there[part]]


def test_the_order_is_the_same_on_every_machine():
    assert hashed_order([f"Cat/{i}.jpg" for i in range(8)], "split 0") == [2, 3, 5, 6, 0, 1, 7, 4]


def test_seed_changes_the_split(own_cache, pets_zip, tmp_path, monkeypatch):
    pets_zip(30, path=tmp_path / "pack/cats_vs_dogs/kagglecatsanddogs_subset.zip")
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path / "pack"))
    one, same, other = load("cats_vs_dogs"), load("cats_vs_dogs"), load("cats_vs_dogs", seed=1)
    assert (len(one.train), len(one.val), len(one.test)) == (42, 6, 12)
    np.testing.assert_array_equal(one.test.ids, same.test.ids)
    np.testing.assert_array_equal(one.test.images, same.test.images)
    assert set(one.test.ids) != set(other.test.ids)
    assert set.union(*all_ids(one)) == set.union(*all_ids(other))


def test_cap_takes_a_seeded_part_of_each_class(own_cache, pets_zip, tmp_path, monkeypatch):
    pets_zip(30, path=tmp_path / "pack/cats_vs_dogs/kagglecatsanddogs_subset.zip")
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path / "pack"))
    splits = load("cats_vs_dogs", max_per_class=10)
    used = set.union(*all_ids(splits))
    assert sum(name.startswith("Cat") for name in used) == sum(name.startswith("Dog") for name in used) == 10
    assert used != set.union(*all_ids(load("cats_vs_dogs", max_per_class=10, seed=3)))
    with pytest.raises(DatasetError, match="at least 3"):
        load("cats_vs_dogs", max_per_class=2)


@pytest.fixture
def own_folder(own_cache, tmp_path, photo):
    folder = tmp_path / "mis fotos ñ"
    for offset, name in enumerate(("gatos", "perros", "猫")):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            (folder / name / f"фото {i}.jpg").write_bytes(photo(3 * i + offset))
    return folder


def test_a_folder_of_ones_own(own_folder):
    splits = load(own_folder)
    assert splits.train.class_names == ("gatos", "perros", "猫")
    assert (len(splits.train), len(splits.val), len(splits.test)) == (21, 3, 6)
    assert all(image_id.split("/")[0] in splits.train.class_names for image_id in splits.train.ids)
    for part in (splits.train, splits.val, splits.test):
        named = [part.class_names.index(image_id.split("/")[0]) for image_id in part.ids]
        np.testing.assert_array_equal(part.labels, named)


def test_photos_added_to_a_folder_are_seen(own_folder, photo):
    load(own_folder)
    (own_folder / "gatos/nuevo.jpg").write_bytes(photo(100))
    assert "gatos/nuevo.jpg" in set.union(*all_ids(load(str(own_folder))))


def test_copies_never_meet_in_two_parts(own_folder):
    for i in range(10):
        (own_folder / f"gatos/copia {i}.jpg").write_bytes((own_folder / f"gatos/фото {i}.jpg").read_bytes())
    splits = load(own_folder)
    assert len(splits.train) + len(splits.val) + len(splits.test) == 30
    assert sum(record.reason == "duplicate" for record in splits.manifest.left_out) == 10


def test_empty_class(own_folder):
    (own_folder / "vacía").mkdir()
    with pytest.raises(DatasetError, match=r"'vacía'.*no files at all"):
        load(own_folder)
    (own_folder / "vacía/1.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"'vacía'.*empty files: 1"):
        load(own_folder)


def test_too_few_images_to_split(own_folder, photo):
    (own_folder / "pocos").mkdir()
    for i in range(2):
        (own_folder / f"pocos/{i}.jpg").write_bytes(photo(200 + i))
    with pytest.raises(DatasetError, match=r"'pocos' has too few images to split: 2 .*at least 3"):
        load(own_folder)


def test_folder_that_is_no_data_set(own_cache, tmp_path, photo):
    (tmp_path / "one/cat").mkdir(parents=True)
    (tmp_path / "one/cat/1.jpg").write_bytes(photo(1))
    with pytest.raises(DatasetError, match="at least two classes, and has 1: cat"):
        load(tmp_path / "one")
    with pytest.raises(DatasetError, match="there is nothing there"):
        load(str(tmp_path / "nowhere"))
    (tmp_path / "fotos.zip").write_bytes(b"PK")
    for name in (str(tmp_path / "fotos.zip"), tmp_path / "fotos.zip"):
        with pytest.raises(DatasetError, match=r"it is a file\. If it is a zip, unpack it first"):
            load(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 0.0}, "above 0"),
        ({"test_fraction": 0.6, "val_fraction": 0.4}, "together below 1"),
        ({"size": 0}, "image_size"),
        ({"size": 64.5}, "image_size"),
        ({"style": "night"}, "Only drawn pictures"),
    ],
)
def test_wrong_options_are_explained(own_folder, options, message):
    with pytest.raises(DatasetError, match=message):
        load(own_folder, **options)


def test_misspelled_name(own_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'cats_vs_dogs'") as caught:
        load("cat_vs_dog")
    assert f"the path of their folder; there is none at {tmp_path / 'cat_vs_dog'}" in str(caught.value)
    with pytest.raises(DatasetError, match=f"{tmp_path / 'my photos'} should be a folder"):
        load("./my photos")
    with pytest.raises(UnknownNameError):
        load("")


def test_no_network_and_no_data(own_cache, monkeypatch):
    from tlhelpers.data import sources

    file = sources.RemoteFile("cats_vs_dogs/file.zip", ("http://127.0.0.1:9/file.zip",), "0" * 64, 1)
    monkeypatch.setitem(sources.DATA_SETS, "cats_vs_dogs", (file,))
    monkeypatch.setattr("tlhelpers.data.download.BACKOFF", 0.0)
    with pytest.raises(DataNotFoundError, match="drawn_pets"):
        load("cats_vs_dogs")


BREEDS = {"Egyptian_Mau": 1, "pug": 2, "wheaten_terrier": 2}


@pytest.fixture
def oxford_pack(own_cache, tmp_path, photo, monkeypatch):
    """An Oxford-IIIT Pet pack of three breeds, with the flaws of the original."""
    folder = tmp_path / "pack/oxford_iiit_pet"
    folder.mkdir(parents=True)

    def write(name, members):
        with tarfile.open(folder / name, "w:gz") as archive:
            for path, data in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    images, lists = {}, {"trainval": [], "test": []}
    for number, (breed, species) in enumerate(BREEDS.items(), 1):
        for i in range(1, 13):
            is_gif = breed == "Egyptian_Mau" and i == 3
            images[f"images/{breed}_{i}.jpg"] = photo(100 * number + i, format="GIF" if is_gif else "JPEG")
            lists["test" if i > 8 else "trainval"].append(f"{breed}_{i} {number} {species} 1")
    images["images/Abyssinian_101.mat"] = b"matlab"
    images["images/pug_99.jpg"] = photo(999)  # in no list
    write("images.tar.gz", images)
    texts = {f"annotations/{name}.txt": "\n".join(lines).encode() for name, lines in lists.items()}
    write("annotations.tar.gz", texts)
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path / "pack"))
    return write


def test_oxford_breeds_follow_the_official_split(oxford_pack):
    splits = load("oxford_pets_breeds")
    assert splits.train.class_names == ("Egyptian Mau", "Pug", "Wheaten Terrier")
    assert set(splits.test.ids) == {f"{breed}_{i}.jpg" for breed in BREEDS for i in range(9, 13)}
    assert (len(splits.train), len(splits.val)) == (21, 3)
    assert "pug_99.jpg" not in set.union(*all_ids(splits))
    assert "Egyptian_Mau_3.jpg" in set.union(*all_ids(splits))  # a GIF under a JPEG's name


def test_oxford_species(oxford_pack):
    splits = load("oxford_pets_species")
    assert splits.train.class_names == ("cat", "dog")
    for part in (splits.train, splits.val, splits.test):
        expected = [BREEDS[image_id.rsplit("_", 1)[0]] - 1 for image_id in part.ids]
        np.testing.assert_array_equal(part.labels, expected)


def test_oxford_cap_keeps_the_parts_apart(oxford_pack):
    whole, capped = load("oxford_pets_breeds"), load("oxford_pets_breeds", max_per_class=6)
    assert len(capped.train) + len(capped.val) + len(capped.test) == 18
    assert set(capped.test.ids) < set(whole.test.ids)


def test_oxford_annotations_that_are_none(oxford_pack):
    oxford_pack("annotations.tar.gz", {"annotations/trainval.txt": b"pug_1 2 2 1"})
    with pytest.raises(BrokenArchiveError, match=r"test\.txt"):
        load("oxford_pets_breeds")
    oxford_pack("annotations.tar.gz", {"annotations/trainval.txt": b"pug_1 dog", "annotations/test.txt": b""})
    with pytest.raises(BrokenArchiveError, match="pug_1 dog"):
        load("oxford_pets_breeds")


def make_dataset(counts=(5, 8)):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    n = len(labels)
    images = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    return Dataset("toy", images, labels, ("cat", "dog"), np.array([f"x/{i}" for i in range(n)]))


def test_take_keeps_images_labels_and_ids_together():
    taken = make_dataset().take([7, 0])
    assert len(taken) == 2
    np.testing.assert_array_equal(taken.images[:, 0, 0, 0], [7, 0])
    np.testing.assert_array_equal(taken.labels, [1, 0])
    assert list(taken.ids) == ["x/7", "x/0"]
    assert len(make_dataset().take([])) == 0
    assert len(make_dataset().take(make_dataset().labels == 1)) == 8


def test_per_class_is_balanced_nested_and_seeded():
    dataset = make_dataset()
    two, four = dataset.per_class(2, seed=1), dataset.per_class(4, seed=1)
    np.testing.assert_array_equal(np.bincount(four.labels), [4, 4])
    assert set(two.ids) < set(four.ids)
    assert {tuple(sorted(dataset.per_class(2, seed=seed).ids)) for seed in range(9)} != {tuple(sorted(two.ids))}
    with pytest.raises(DatasetError, match="has 5 of 'cat'"):
        dataset.per_class(6)
    with pytest.raises(DatasetError, match="1 to 5"):
        dataset.per_class(0)


def test_repr_is_a_line():
    assert repr(make_dataset()) == "Dataset('toy', 13 images of 4×4, 2 classes: cat, dog)"


def test_drawn_pets_are_drawn_once(own_cache, monkeypatch):
    from tlhelpers import drawn_pets
    from tlhelpers.data import datasets

    monkeypatch.setattr(datasets, "DRAWN_IMAGES", 160)
    splits = load("drawn_pets", max_per_class=80)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (104, 16, 40)
    monkeypatch.setattr(drawn_pets, "draw_pets", lambda *a, **k: pytest.fail("drawn again"))
    breeds = load("drawn_pets_breeds")
    assert len(breeds.train.class_names) == len(drawn_pets.BREEDS)
    species = {breed.name.replace("_", " "): breed.species for breed in drawn_pets.BREEDS}
    for image_id, label in zip(splits.test.ids, splits.test.labels, strict=True):
        assert species[image_id.split("/")[0]] == splits.test.class_names[label]
    with pytest.raises(UnknownNameError, match="sketch"):
        load("drawn_pets", style="sketches")


def test_real_cats_and_dogs(real_data):
    splits = load("cats_vs_dogs", size=64, max_per_class=300)
    assert splits.train.class_names == ("cat", "dog")
    assert len(splits.train) + len(splits.val) + len(splits.test) == 600
    assert len(set.union(*all_ids(splits))) == 600
    assert 60 < splits.train.images.mean() < 180


def test_real_oxford_pets(real_data):
    splits = load("oxford_pets_breeds", size=64)
    assert len(splits.train.class_names) == 37
    assert "Egyptian Mau" in splits.train.class_names
    assert set(np.bincount(splits.test.labels, minlength=37)) >= {3} or len(splits.test) > 3000
    assert not set.intersection(*all_ids(splits))
