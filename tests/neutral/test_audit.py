import io
import tarfile
import zipfile

import pytest

from tlhelpers.data.archives import Member, identify, read_members
from tlhelpers.data.audit import Manifest, examine, leave_out_duplicates
from tlhelpers.data.datasets import CATS_VS_DOGS_LAYOUT
from tlhelpers.data.image_cache import Layout, prepare_images
from tlhelpers.errors import BrokenArchiveError, DatasetError, UnknownNameError

FOLDERS = Layout("folders", lambda name: (name, name.partition("/")[0]))


def prepare_pets(path, **options):
    return prepare_images(path, CATS_VS_DOGS_LAYOUT, image_size=32, progress=False, **options)


def records(prepared):
    return {record.id: record for record in prepared.manifest.records}


def test_every_member_gets_a_record_with_the_reason(own_cache, pets_zip, photo, bomb):
    whole = photo(99, size=(300, 200))
    archive = pets_zip(
        3,
        {
            "PetImages/Cat/666.jpg": b"",
            "PetImages/Cat/667.jpg": b"no image at all",
            "PetImages/Cat/668.jpg": whole[: len(whole) // 2],
            "PetImages/Cat/669.jpg": bomb,
            "PetImages/Cat/670.jpg": photo(77, format="PNG"),
            "PetImages/Cat/Thumbs.db": b"thumbs",
            "PetImages/Cat/.hidden.jpg": photo(50),
            "__MACOSX/PetImages/Cat/._1.jpg": photo(51),
            "PetImages/Dog/Abyssinian_100.mat": b"matlab",
            "PetImages/Dog/10.jpg": photo(1),  # the bytes of Dog/0.jpg
            "PetImages/Dog/2b.jpg": photo(4),  # the bytes of Cat/2.jpg
            "readme.txt": b"read me",
        },
    )
    found = records(prepare_pets(archive))
    assert {id: record.reason for id, record in found.items()} == {
        "Cat/0.jpg": "",
        "Cat/1.jpg": "",
        "Cat/2.jpg": "contradictory",
        "Cat/666.jpg": "empty",
        "Cat/667.jpg": "not an image",
        "Cat/668.jpg": "truncated",
        "Cat/669.jpg": "too large",
        "Cat/670.jpg": "",
        "Cat/Thumbs.db": "not an image",
        "Cat/.hidden.jpg": "not an image",
        "Cat/._1.jpg": "not an image",
        "Dog/Abyssinian_100.mat": "not an image",
        "Dog/0.jpg": "",
        "Dog/1.jpg": "",
        "Dog/2.jpg": "",
        "Dog/10.jpg": "duplicate",
        "Dog/2b.jpg": "contradictory",
        "readme.txt": "outside the classes",
    }
    assert {record.status for record in found.values() if not record.reason} == {"used"}
    assert "Dog/0.jpg" in found["Dog/10.jpg"].detail
    png = found["Cat/670.jpg"]
    assert (png.format, png.mode, png.width, png.height, len(png.sha256)) == ("PNG", "RGB", 90, 70, 64)


def test_nothing_is_changed_in_a_folder(own_cache, tmp_path, photo):
    folder = tmp_path / "mascotas"
    for name, data in {"gato/1.jpg": photo(1), "gato/2.jpg": b"", "perro/1.jpg": photo(2)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    prepared = prepare_images(folder, FOLDERS, image_size=32, progress=False)
    assert len(prepared.manifest.used) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_file_that_cannot_be_opened_is_listed_as_unreadable(own_cache, tmp_path, photo):
    folder = tmp_path / "pets"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.jpg").write_bytes(photo(len(name) + ord(name[0])))
    try:
        (folder / "cat/2.jpg").symlink_to(tmp_path / "nowhere.jpg")
    except OSError:
        pytest.skip("this system makes no symbolic links")
    found = records(prepare_images(folder, FOLDERS, image_size=32, progress=False))
    assert found["cat/2.jpg"].reason == "unreadable"
    assert "No such file" in found["cat/2.jpg"].detail


def make_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def test_tar_and_zip_give_the_same_records(own_cache, tmp_path, photo, pets_zip):
    as_zip = pets_zip(3)
    with zipfile.ZipFile(as_zip) as archive:
        members = {name: archive.read(name) for name in reversed(archive.namelist())}
    as_tar = make_tar(tmp_path / "pets.tar.gz", members)
    from_zip, from_tar = (records(prepare_pets(path)) for path in (as_zip, as_tar))
    assert list(from_zip) == list(from_tar)
    assert [r.sha256 for r in from_zip.values()] == [r.sha256 for r in from_tar.values()]


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:/evil.jpg"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_point_outside_are_refused(own_cache, tmp_path, pets_zip, photo, name, kind):
    if kind == "zip":
        path = pets_zip(2, {name: photo(9)})
    else:
        path = make_tar(tmp_path / "pets.tar.gz", {"PetImages/Cat/1.jpg": photo(1), name: photo(9)})
    with pytest.raises(BrokenArchiveError, match="points outside"):
        prepare_pets(path)
    assert not list(own_cache.rglob("*.npy"))


def test_links_in_archives_are_refused(own_cache, tmp_path, pets_zip):
    with pytest.raises(BrokenArchiveError, match="link"):
        prepare_pets(make_tar(tmp_path / "pets.tar.gz", {"PetImages/Cat/1.jpg": "/etc/passwd"}))
    path = pets_zip(2)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("PetImages/Cat/9.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BrokenArchiveError, match="link"):
        prepare_pets(path)


@pytest.mark.parametrize("how", ["cut off", "garbage", "flipped", "empty"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_broken_archive(own_cache, tmp_path, pets_zip, photo, how, kind):
    path = pets_zip(8)
    if kind == "tar":
        path = make_tar(tmp_path / "pets.tar.gz", {f"PetImages/Cat/{i}.jpg": photo(i) for i in range(8)})
    data = bytearray(path.read_bytes())
    if how == "cut off":
        data = data[: len(data) // 2]
    elif how == "garbage":
        data = bytearray(b"<html>Service unavailable</html>" * 50)
    elif how == "empty":
        data = bytearray()
    else:
        data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BrokenArchiveError, match="fetch or copy it again"):
        prepare_pets(path)
    assert not [p for p in own_cache.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_archive_without_a_usable_image(own_cache, pets_zip):
    with pytest.raises(DatasetError, match=r"no image that can be used(.|\n)*empty"):
        prepare_pets(pets_zip(0, {"PetImages/Cat/1.jpg": b"", "PetImages/Dog/1.jpg": b""}))


def test_summary_is_for_readers_in_both_languages(own_cache, pets_zip):
    manifest = prepare_pets(pets_zip(4, {f"PetImages/Cat/{i}.jpg": b"" for i in range(100, 105)})).manifest
    assert manifest.summary() == (
        "13 files: 8 images are used (cat 4, dog 4), 5 left out:\n"
        "  empty files: 5 (Cat/100.jpg, Cat/101.jpg, Cat/102.jpg and 2 more)"
    )
    assert "se usan 8 imágenes" in manifest.summary("es")
    assert "  archivos vacíos: 5 (" in manifest.summary("es")  # of one, too, it is right Spanish
    with pytest.raises(UnknownNameError):
        manifest.summary("fr")


def test_manifest_survives_json(own_cache, pets_zip, photo):
    manifest = prepare_pets(pets_zip(3, {"PetImages/Cat/ñandú 猫.jpg": photo(70)})).manifest
    assert "Cat/ñandú 猫.jpg" in {record.id for record in manifest.used}
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_names_decomposed_by_a_system_give_the_same_ids(tmp_path, photo):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pin\u0303a.jpg").write_bytes(photo(1))  # as macOS stores "piña"
    assert [member.name for member in read_members(tmp_path)] == ["a/piña.jpg"]


def test_identity_follows_the_content(tmp_path, pets_zip, photo):
    path = pets_zip(3)
    before = identify(path)
    assert identify(path) == before
    pets_zip(3, {"PetImages/Cat/9.jpg": photo(90)})
    assert identify(path) != before


def test_duplicates_keep_the_first_by_number(photo):
    copy = Member("x.jpg", photo(1))
    copies = [examine(copy, f"Cat/{i}.jpg", "cat")[0] for i in (10, 9, 2)]
    assert [(r.id, r.reason) for r in leave_out_duplicates(copies)] == [
        ("Cat/2.jpg", ""),
        ("Cat/9.jpg", "duplicate"),
        ("Cat/10.jpg", "duplicate"),
    ]
