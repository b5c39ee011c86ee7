"""Layouts of folders that people have: each is understood and said, or refused with a question."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tlhelpers.data.datasets import CATS_VS_DOGS_LAYOUT, load_splits
from tlhelpers.data.image_cache import prepare_images
from tlhelpers.errors import DatasetError

posix = pytest.mark.skipif(sys.platform == "win32", reason="names and links of POSIX")


def load(folder, **options):
    return load_splits(folder, image_size=32, progress=False, **options)


def parts(splits):
    return splits.train, splits.val, splits.test


def ids(part):
    return set(part.ids.tolist())


def reasons(splits):
    return {record.id: record.reason for record in splits.manifest.left_out}


@pytest.fixture
def make(own_cache, tmp_path, photo):
    """Makes a folder: `make({"train/cats": 6})` has six photos there, all different."""
    made = iter(range(10_000))

    def make(folders: dict[str, int], name="fotos"):
        for folder, number in folders.items():
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
            for i in range(number):
                (tmp_path / name / folder / f"{i}.jpg").write_bytes(photo(next(made)))
        return tmp_path / name

    return make


@pytest.mark.parametrize("val", ["val", "validation", "valid", "Valid", "validación", "val_set"])
@pytest.mark.parametrize("train", ["train", "training_set"])
def test_a_division_above_the_classes_is_used(make, train, val):
    folder = make({f"{train}/{c}": 6 for c in ("cats", "dogs")} | {f"{val}/{c}": 3 for c in ("cats", "dogs")})
    splits = load(folder)
    assert splits.train.class_names == ("cats", "dogs")
    assert ids(splits.val) == {f"{val}/{c}/{i}.jpg" for c in ("cats", "dogs") for i in range(3)}
    assert ids(splits.train) | ids(splits.test) == {f"{train}/{c}/{i}.jpg" for c in ("cats", "dogs") for i in range(6)}
    np.testing.assert_array_equal(np.bincount(splits.test.labels), [1, 1])  # a fifth of the six, split off train
    for part in parts(splits):
        assert [part.class_names[label] for label in part.labels] == [i.split("/")[1] for i in part.ids]
    assert splits.manifest.summary().startswith(f"Its own division is used: {train}, {val}.\nSplit off train: test.\n")
    assert splits.manifest.summary("es").startswith(f"Se usa su propia partición: {train}, {val}.\n")


def test_all_three_parts_as_they_are_and_fewer_in_proportion(make):
    folder = make({f"{p}/{c}": n for p, n in (("train", 10), ("val", 4), ("test", 6)) for c in ("a", "b", "c")})
    splits = load(folder)
    for name, part in (("train", splits.train), ("val", splits.val), ("test", splits.test)):
        assert {image_id.split("/")[0] for image_id in part.ids} == {name}
    assert [len(part) for part in parts(splits)] == [30, 12, 18]
    assert "Split off" not in splits.manifest.summary()
    few = load(folder, max_per_class=10)
    assert [len(part) for part in parts(few)] == [15, 6, 9]
    assert ids(few.test) < ids(splits.test)


def test_a_copy_in_another_part_is_no_leak(make):
    folder = make({"train/cats": 6, "train/dogs": 6, "test/cats": 3, "test/dogs": 3})
    (folder / "train/cats/again.jpg").write_bytes((folder / "test/cats/0.jpg").read_bytes())
    splits = load(folder)
    assert reasons(splits) == {"train/cats/again.jpg": "duplicate"}
    assert "test/cats/0.jpg" in ids(splits.test)


def test_parts_below_the_classes(make):
    splits = load(make({f"{c}/{p}": n for c in ("cat", "dog") for p, n in (("train", 5), ("test", 2))}))
    assert splits.train.class_names == ("cat", "dog")
    assert ids(splits.test) == {f"{c}/test/{i}.jpg" for c in ("cat", "dog") for i in range(2)}


def test_a_loose_photo_beside_the_parts_of_a_class_does_not_mix_them(make):
    folder = make({"cat/train": 6, "cat/test": 3, "dog/train": 6, "dog/test": 3, "dog": 1})
    splits = load(folder)
    assert ids(splits.test) == {f"{c}/test/{i}.jpg" for c in ("cat", "dog") for i in range(3)}
    assert reasons(splits) == {"dog/0.jpg": "outside the classes"}


def test_nested_twice_with_what_macs_and_kaggle_leave(make):
    classes = ("sea", "street")
    deep = {f"seg_{p}/seg_{p}/{c}": 5 for p in ("train", "test") for c in classes}
    folder = make(deep | {f"__MACOSX/seg_train/{c}": 2 for c in classes} | {"seg_train/.ipynb_checkpoints": 1})
    splits = load(folder)
    assert splits.train.class_names == classes
    assert len(splits.test) == 10
    assert set(reasons(splits).values()) == {"not an image"}
    assert len(reasons(splits)) == 5


def test_one_folder_too_deep(make):
    folder = make({"all/photos/cat": 5, "all/photos/dog": 5})
    (folder / "README.txt").write_text("Photos of pets")
    splits = load(folder)
    assert splits.train.class_names == ("cat", "dog")
    assert reasons(splits) == {"README.txt": "outside the classes"}
    assert splits.manifest.summary().startswith("The classes are the folders in all/photos/.\n")
    alone = load(make({"train/cat": 5, "train/dog": 5}, "other"))
    assert alone.train.class_names == ("cat", "dog")
    assert (len(alone.train), len(alone.val), len(alone.test)) == (6, 2, 2)


def test_folders_within_a_class_belong_to_it(make):
    splits = load(make({"cat": 2, "cat/at night": 3, "dog/big": 3, "dog/small/young": 2}))
    assert splits.train.class_names == ("cat", "dog")
    labels = {i: int(n) for part in parts(splits) for i, n in zip(part.ids, part.labels, strict=True)}
    assert {i: int(i.startswith("dog")) for i in labels} == labels
    assert len(labels) == 10


def test_a_class_of_trains_is_no_part(make):
    assert load(make({"train": 5, "bus": 5, "train station": 5})).train.class_names == ("bus", "train", "train station")
    assert load(make({"test 1": 5, "test 2": 5, "dev kit": 5}, "more")).train.class_names == (
        "dev kit",
        "test 1",
        "test 2",
    )


@pytest.mark.parametrize(
    ("folders", "question"),
    [
        ({"train/cat": 3, "train/dog": 3, "test": 9}, "test/ should have a folder for each class.*without labels"),
        ({"train/cat": 3, "train/dog": 3, "val/cat": 3}, "they differ in: dog"),
        ({"train/cat": 3, "train/dog": 3, "val/cat": 3, "val/Dog": 3}, "they differ in: Dog, dog"),
        ({f"{p}/{c}": 3 for p in ("train", "val", "validation") for c in "ab"}, "same part"),
        ({f"{p}/{c}": 3 for p in ("train", "val", "birds") for c in "ab"}, "Beside train/, val/ there is birds/"),
        ({"train": 9, "val": 9}, "parts or classes"),
        (
            {f"{p}/{c}": 3 for p in ("2023", "2024") for c in ("cat", "dog")},
            "classes 2023/, 2024/.*Or are the classes cat",
        ),
        (
            {f"{p}_{c}": 3 for p in ("train", "test") for c in ("cats", "dogs")},
            "test_cats/, .* parts of the same classes",
        ),
        ({"cats": 3, "cats_val": 3, "dogs": 3, "dogs val": 3}, "Are cats_val/, dogs val/ parts of the same classes"),
        ({"2023/cat": 5, "2023/dog": 5, "2024/cat": 5}, "classes 2023/, 2024/.*Or are the classes cat"),
        ({f"{p}/{c}": 5 for p in ("learn", "eval") for c in "ab"} | {"learn": 1}, "classes eval/, learn/"),
        ({f"{p}/{c}": 5 for p in ("lot1", "lot2") for c in "ab"} | {"others": 4}, "classes lot1/, lot2/"),
        ({f"{p}/{y}/{c}": 5 for p in ("train", "test") for y in "12" for c in "ab"}, "classes test/1/, test/2/"),
        ({"cat/train": 6, "cat/test": 3, "dog/train": 9}, "dog/ should have the folders test, train.*and has train"),
        ({"train/cat": 9, "test/cat": 4}, "at least two classes, and has 1: cat"),
        ({f"{p}/{c}": 5 for p in ("val", "test") for c in "ab"}, "There is test/, val/, and no train/"),
        ({"train": 9, "test/cat": 4, "test/dog": 4}, "training part should have a folder for each class, as test/"),
        ({"": 9}, "is it one class.*the folder above"),
        ({"cat": 9}, "at least two classes, and has 1: cat"),
        ({}, "at least two classes, and has 0: none"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_asked(make, monkeypatch, folders, question):
    folder = make({"": 0} | folders)
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "en")
    with pytest.raises(DatasetError, match=question) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    with pytest.raises(DatasetError, match=r" (carpeta|clase|parte)"):
        load(folder)


def test_folders_of_network_drives_and_disks_are_no_classes(make):
    clutter = ("lost+found", "#snapshot", "System Volume Information", "$RECYCLE.BIN", "cat/@Recently-Snapshot")
    splits = load(make({"cat": 5, "dog": 5} | dict.fromkeys(clutter, 2)))
    assert splits.train.class_names == ("cat", "dog")
    assert len(splits.manifest.used) == 10
    assert set(reasons(splits).values()) == {"not an image"}


def test_thumbnails_of_synology_are_no_photos(make, photo):
    folder = make({"cat": 5, "dog": 5})
    for number in range(5):
        thumbnail = folder / f"cat/@eaDir/{number}.jpg/SYNOPHOTO_THUMB_M.jpg"
        thumbnail.parent.mkdir(parents=True)
        thumbnail.write_bytes(photo(500 + number))
    splits = load(folder)
    assert len(splits.manifest.used) == 10
    assert len(reasons(splits)) == 5


@posix
def test_linked_folders_are_followed_and_circles_end(make, tmp_path):
    away = make({"cat": 5, "more": 3}, "away")
    folder = make({"dog": 5})
    (folder / "cat").symlink_to(away / "cat")
    (away / "cat/more").symlink_to(away / "more")
    (folder / "dog/circle").symlink_to(folder)
    splits = load(folder)
    assert splits.train.class_names == ("cat", "dog")
    assert len(splits.manifest.used) == 13
    assert "cat/more/2.jpg" in {record.id for record in splits.manifest.used}
    assert reasons(splits) == {"dog/circle/": "same folder"}


@posix
def test_a_link_takes_no_photo_from_the_folder_where_it_lies(make):
    folder = make({"cat": 5, "dog": 5, "dog/small": 4})
    (folder / "cat/similar").symlink_to(folder / "dog/small")
    splits = load(folder)
    classes = {record.id: record.class_name for record in splits.manifest.used}
    assert {classes[f"dog/small/{i}.jpg"] for i in range(4)} == {"dog"}
    assert reasons(splits) == {"cat/similar/": "same folder"}


@posix
@pytest.mark.parametrize("target", ["x.jpg", "0.jpg/y.jpg", "nothing.jpg"])
def test_a_link_that_leads_nowhere_is_left_out(make, target):
    folder = make({"cat": 5, "dog": 5})
    (folder / "cat/x.jpg").symlink_to(target)
    splits = load(folder)
    assert reasons(splits) == {"cat/x.jpg": "unreadable"}
    assert len(splits.manifest.used) == 10


@posix
def test_the_folder_itself_may_have_a_name_from_an_old_disk(make):
    folder = make({"cat": 5, "dog": 5})
    raw = os.fsencode(folder) + b"_ni\xf1os"
    try:
        os.rename(folder, raw)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert load(os.fsdecode(raw)).train.name == "fotos_niños (train)"


@posix
@pytest.mark.parametrize("raw", [b"ni\xf1o", b"big\\dog", b"x.mat", "nin\u0303o".encode(), b" a\nb "])
def test_class_folders_with_odd_names(make, raw):
    folder = make({"cat": 5, "dog": 5})
    try:
        os.rename(folder / "dog", os.fsencode(folder) + b"/" + raw)
    except OSError:
        pytest.skip("this file system takes no such name")
    expected = {b"ni\xf1o": "niño", "nin\u0303o".encode(): "niño"}.get(raw) or raw.decode()
    splits = load(folder)
    assert set(splits.train.class_names) == {"cat", expected}
    assert len(splits.manifest.used) == 10
    assert not splits.manifest.left_out


@posix
def test_a_name_spelt_in_two_ways_of_unicode_keeps_both_photos(make, photo):
    folder = make({"cat": 5, "ni\u00f1o": 3, "nin\u0303o": 3})
    (folder / "cat/\u00e9.jpg").write_bytes(photo(900))
    (folder / "cat/e\u0301.jpg").write_bytes(photo(901))
    (folder / "cat/u\u0308.jpg").write_bytes(photo(902))
    (folder / "cat/\u00fc.jpg").write_bytes(photo(902))
    if len(os.listdir(folder / "cat")) < 9:
        pytest.skip("this file system takes the two spellings for one")
    splits = load(folder)
    assert splits.train.class_names == ("cat", "niño")
    found = [record.id for record in splits.manifest.records]
    assert len(found) == len(set(found)) == 15
    assert len(splits.manifest.used) == 14
    assert {"cat/é.jpg", "cat/é (2).jpg", "niño/0.jpg", "niño/0 (2).jpg"} < set(found)
    assert list(reasons(splits).values()) == ["duplicate"]  # of the two ü.jpg the bytes are the same
    pictures = {i: image for part in parts(splits) for i, image in zip(part.ids, part.images, strict=True)}
    assert np.abs(pictures["cat/é.jpg"].astype(int) - pictures["cat/é (2).jpg"]).mean() > 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_in_a_zip_keeps_both_photos(own_cache, pets_zip, photo):
    path = pets_zip(3)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("PetImages/Cat/0.jpg", photo(50))
        archive.writestr("test/Cat/0.jpg", photo(51))
    manifest = prepare_images(path, CATS_VS_DOGS_LAYOUT, image_size=32, progress=False).manifest
    assert {"Cat/0.jpg", "Cat/0 (2).jpg", "Cat/0 (3).jpg"} < {record.id for record in manifest.used}
    assert len(manifest.used) == 8


@posix
def test_a_pipe_is_left_out_and_nobody_waits(make):
    folder = make({"cat": 5, "dog": 5})
    os.mkfifo(folder / "cat/pipe.jpg")
    script = "import sys; from tlhelpers.data.datasets import load_splits; from tlhelpers.data.images import *\n"
    script += "print(load_splits(sys.argv[1], image_size=32, progress=False).manifest.left_out)\n"
    script += "try: prepare_photo(sys.argv[1] + '/cat/pipe.jpg', 32)\nexcept DatasetError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "id='cat/pipe.jpg'" in done.stdout
    assert "reason='unreadable'" in done.stdout
    assert "pipe.jpg cannot be opened (a folder, a pipe or a device)" in done.stdout


UNPRIVILEGED = """
import os, sys
import filelock, numpy, tqdm.auto
from PIL import Image, features
from tlhelpers.data.datasets import load_splits
from tlhelpers.data.images import _formats
from tlhelpers.errors import TlhelpersError
Image.init(), _formats()
os.chdir("/")
if os.getuid() == 0:  # who may read everything
    os.setgid(65534), os.setuid(65534)
try:
    print(load_splits(sys.argv[1], image_size=32, progress=False).manifest.summary())
except TlhelpersError as error:
    print(error)
"""


@posix
@pytest.mark.parametrize(
    ("folders", "closed"),
    [
        *(({"cat": 5, "dog": 5, "dog/more": 2}, closed) for closed in ("cat", "dog/more", ".")),
        *(({f"{p}/{c}": 5 for p in ("train", "val") for c in ("cat", "dog")}, closed) for closed in ("val", "val/cat")),
        ({"all/cat": 5, "all/dog": 5}, "all"),
    ],
)
def test_a_folder_that_may_not_be_read_is_named(make, folders, closed):
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o777)
        folder = Path(open_to_all, "fotos")
        shutil.copytree(make(folders), folder)
        (folder / closed).chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(folder)],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"TLHELPERS_CACHE": f"{open_to_all}/cache", "LANG": "C"},
        )
        (folder / closed).chmod(0o755)
    assert done.returncode == 0, done.stderr
    expected = {
        "cat": "Class 'cat' of fotos should have images, and has none that can be used: "
        "folders that cannot be read: 1 (Permission denied).",
        "dog/more": "folders that cannot be read: 1 (dog/more/)",
        ".": "may not be read",
    }
    assert expected.get(closed, f"{closed}/ cannot be read (Permission denied)") in done.stdout
