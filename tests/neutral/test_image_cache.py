import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tlhelpers.data import image_cache
from tlhelpers.data.datasets import CATS_VS_DOGS_LAYOUT
from tlhelpers.data.image_cache import gather, prepare_images
from tlhelpers.data.images import decode, prepare
from tlhelpers.errors import TlhelpersError

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
PREPARE = """
import sys
from pathlib import Path
from tlhelpers.data import image_cache
from tlhelpers.data.datasets import CATS_VS_DOGS_LAYOUT
def prepare():
    return image_cache.prepare_images(Path(sys.argv[1]), CATS_VS_DOGS_LAYOUT, image_size=32, progress=False)
"""


def prepare_pets(path, size=32):
    return prepare_images(path, CATS_VS_DOGS_LAYOUT, image_size=size, progress=False)


def start(script, path, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([sys.executable, "-c", PREPARE + script, str(path)], **options)


def litter(folder):
    return [p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_rows_are_the_prepared_photos(own_cache, pets_zip, photo):
    prepared = prepare_pets(pets_zip(40))
    for record in prepared.manifest.records:
        species, number = record.id.removesuffix(".jpg").split("/")
        data = photo(2 * int(number) + (species == "Dog"))
        np.testing.assert_array_equal(prepared.images[record.row], prepare(decode(data), 32))


def test_second_call_opens_what_the_first_wrote(own_cache, pets_zip, monkeypatch):
    path = pets_zip(5)
    first = prepare_pets(path)
    monkeypatch.setattr(image_cache, "examine", lambda *args: pytest.fail("decoded again"))
    second = prepare_pets(path)
    assert isinstance(second.images, np.memmap)
    assert not second.images.flags.writeable
    assert second.manifest == first.manifest


def test_a_changed_archive_and_another_size_are_prepared_anew(own_cache, pets_zip, photo):
    path = pets_zip(5)
    assert len(prepare_pets(path).images) == 10
    assert prepare_pets(path, 48).images.shape == (10, 48, 48, 3)
    pets_zip(5, {"PetImages/Cat/77.jpg": photo(77)})
    assert len(prepare_pets(path).images) == 11


def test_damaged_cache_is_made_again(own_cache, pets_zip):
    path = pets_zip(5)
    expected = np.array(prepare_pets(path).images)
    (pixels,) = own_cache.rglob("*.npy")
    (manifest,) = own_cache.rglob("*.json")
    for damage in (
        lambda: os.truncate(pixels, 5000), lambda: os.truncate(pixels, 0), lambda: manifest.write_text("{half"),
        lambda: pixels.write_bytes(b"PK\3\4" + bytes(5000)), pixels.unlink,
    ):  # fmt: skip
        damage()
        np.testing.assert_array_equal(prepare_pets(path).images, expected)


def test_read_only_archive_is_only_read(own_cache, pets_zip, tmp_path):
    path = pets_zip(3, path=tmp_path / "pack/pets.zip")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert len(prepare_pets(path).images) == 6
        assert os.listdir(path.parent) == ["pets.zip"]
    finally:
        path.parent.chmod(0o755)


def test_two_processes_build_one_cache(own_cache, pets_zip):
    path = pets_zip(60)
    script = """
real, calls = image_cache.examine, []
image_cache.examine = lambda *args: calls.append(1) or real(*args)
result = prepare()
print(len(calls), len(result.images), int(result.images.sum()))
"""
    outputs = [process.communicate()[0].split() for process in [start(script, path), start(script, path)]]
    assert sorted(int(decoded) for decoded, *_ in outputs) == [0, 120]
    assert outputs[0][1:] == outputs[1][1:]
    assert outputs[0][1] == "120"


@posix
def test_killed_process_leaves_nothing_that_counts(own_cache, pets_zip):
    path = pets_zip(60)
    slow = """
import time
real = image_cache.examine
image_cache.examine = lambda *args: time.sleep(0.2) or real(*args)
prepare()
"""
    process = start(slow, path)
    deadline = time.monotonic() + 60
    while not any(".part-" in name for name in litter(own_cache)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert litter(own_cache)
    assert len(prepare_pets(path).images) == 120
    assert not [name for name in litter(own_cache) if ".part-" in name]


@posix
def test_full_disk_says_so_and_leaves_nothing(own_cache, pets_zip):
    path = pets_zip(20)
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); prepare()"
    error = start(script, path).communicate()[1]
    assert "TlhelpersError: No room to write" in error
    assert "TLHELPERS_CACHE" in error
    assert litter(own_cache) == []
    assert len(prepare_pets(path).images) == 40


def test_error_in_the_middle_leaves_nothing(own_cache, pets_zip, monkeypatch):
    path = pets_zip(40)
    real = image_cache.examine

    def fail(member, *args):
        if member.name.endswith("/39.jpg"):
            raise TlhelpersError("in the middle")
        return real(member, *args)

    monkeypatch.setattr(image_cache, "examine", fail)
    with pytest.raises(TlhelpersError, match="in the middle"):
        prepare_pets(path)
    assert litter(own_cache) == []


def test_many_images_stay_on_disk(own_cache, pets_zip, monkeypatch):
    images = prepare_pets(pets_zip(10)).images
    rows = np.array([7, 0, 19, 7])
    in_memory = gather(images, rows)
    monkeypatch.setattr(image_cache, "_IN_MEMORY", 1)
    on_disk = gather(images, rows)
    assert not isinstance(in_memory, np.memmap)
    assert isinstance(on_disk, np.memmap)
    np.testing.assert_array_equal(in_memory, images[rows])
    np.testing.assert_array_equal(on_disk, images[rows])


def test_manifest_in_the_cache_is_plain_json(own_cache, pets_zip):
    prepare_pets(pets_zip(3))
    (manifest,) = own_cache.rglob("*.json")
    assert json.loads(manifest.read_text(encoding="utf-8"))["records"][0]["id"] == "Cat/0.jpg"
