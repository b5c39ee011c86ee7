import argparse
import gzip
import hashlib
import os
import subprocess
import sys
import time

import pytest

from tlhelpers.data import download as download_module
from tlhelpers.data import fetch as fetch_module
from tlhelpers.data import sources
from tlhelpers.data.fetch import fetch
from tlhelpers.data.sources import RemoteFile
from tlhelpers.errors import DataNotFoundError, DownloadError, TlhelpersError, UnknownNameError

CONTENT = b"PK\x03\x04" + os.urandom(699_996)
SHA = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/file.zip"  # the discard port: nobody listens


@pytest.fixture(autouse=True)
def _quick(own_cache, monkeypatch):
    monkeypatch.setattr(download_module, "BACKOFF", 0.01)


@pytest.fixture
def offer(server, monkeypatch):
    """Puts a file on the server and under the name "sample": `offer(path, sha256=..., size=..., urls=...)`."""

    def make(path="sample/file.zip", **changed):
        server.files["/file.zip"] = CONTENT
        changed = {"urls": (f"{server.url}/file.zip",), "sha256": SHA, "size": len(CONTENT), **changed}
        monkeypatch.setitem(sources.DATA_SETS, "sample", (RemoteFile(path, **changed),))
        return server

    return make


def get(**options):
    (path,) = fetch("sample", progress=False, **options)
    return path


def litter(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_download_lands_in_the_cache_once(offer, own_cache):
    server = offer()
    assert get().read_bytes() == CONTENT
    assert get() == own_cache / "downloads/sample/file.zip"
    assert len(server.log) == 1
    assert litter(own_cache) == ["file.zip"]


def test_broken_connection_is_resumed_in_the_same_call(offer):
    server = offer()
    server.plans["/file.zip"] = ["break:300000", "break:200000"]
    assert get().read_bytes() == CONTENT
    assert [wanted for _, wanted in server.log] == [None, "bytes=300000-", "bytes=500000-"]


def test_a_later_call_goes_on_where_a_failed_one_stopped(offer, own_cache):
    server = offer()
    server.plans["/file.zip"] = ["break:300000", *["500"] * 8]
    with pytest.raises(DownloadError, match=r"broke off at 300,000 bytes of 700,000.*[Tt]ry again"):
        get()
    assert litter(own_cache) == ["file.zip.part"]
    server.plans.clear()
    server.log.clear()
    assert get().read_bytes() == CONTENT
    assert server.log == [("/file.zip", "bytes=300000-")]


@pytest.mark.parametrize("before", [[], ["break:300000"]])
def test_a_packed_page_is_no_beginning_of_a_packed_archive(offer, server, own_cache, before):
    archive = gzip.compress(CONTENT, 1)
    offer(
        "sample/file.tar.gz",
        urls=(f"{server.url}/a.tar.gz",),
        sha256=hashlib.sha256(archive).hexdigest(),
        size=len(archive),
    )
    server.files["/a.tar.gz"] = archive
    server.plans["/a.tar.gz"] = [*before, "packed"]
    with pytest.raises(DownloadError, match="a web page"):
        get()
    kept = [path.read_bytes() for path in own_cache.rglob("*.part")]
    assert kept == [archive[:300000]] * len(before)
    assert get().read_bytes() == archive


def test_a_redirect_to_no_address_is_a_try_that_failed(offer):
    server = offer()
    server.plans["/file.zip"] = ["break:300000", "away"]
    assert get().read_bytes() == CONTENT


def test_server_without_ranges_starts_over(offer):
    server = offer()
    server.ranges = False
    server.plans["/file.zip"] = ["break:300000"]
    assert get().read_bytes() == CONTENT
    assert len(server.log) == 2


@pytest.mark.parametrize("plan", [["hide:300000"], ["break:300000", "short:250000"], ["break:300000", "mute"]])
def test_answers_that_bring_less_than_the_rest_are_gone_on_with(offer, plan):
    server = offer()
    server.plans["/file.zip"] = plan
    assert get().read_bytes() == CONTENT


@pytest.mark.parametrize("page", ["page", "page:text/plain", "page:"])
def test_a_login_page_in_place_of_the_rest_spoils_nothing(offer, own_cache, page):
    server = offer()
    server.plans["/file.zip"] = ["break:300000", page]
    with pytest.raises(DownloadError) as caught:
        get()
    for words in ("a web page", "log in, and try again", "nothing to delete", "the 300,000 bytes of before still are"):
        assert words in str(caught.value)
    assert litter(own_cache) == ["file.zip.part"]
    assert get().read_bytes() == CONTENT
    assert server.log[-1] == ("/file.zip", "bytes=300000-")


def test_a_login_page_at_the_start_leaves_nothing_and_is_told_in_the_readers_language(offer, own_cache, monkeypatch):
    server = offer()
    server.plans["/file.zip"] = ["page"]
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    with pytest.raises(DownloadError, match=r"una página web \(text/html\).*identifíquese"):
        get()
    assert litter(own_cache) == []
    assert get().read_bytes() == CONTENT


def test_a_page_that_an_older_version_took_for_the_beginning_is_not_gone_on_with(offer, own_cache):
    server = offer()
    part = own_cache / "downloads/sample/file.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.page)
    assert get().read_bytes() == CONTENT
    assert server.log == [("/file.zip", None)]


def test_a_refused_range_costs_nothing_that_is_there(offer):
    server = offer()
    server.plans["/file.zip"] = ["break:300000", "416", "416", "416", "break:400000"]
    with pytest.raises(DataNotFoundError, match="416"):  # refused without a range, too
        get()
    server.plans["/file.zip"] = ["416", "break:500000"]
    assert get().read_bytes() == CONTENT
    assert server.log[-3:] == [("/file.zip", "bytes=300000-"), ("/file.zip", None), ("/file.zip", None)]


def test_an_endless_trickle_has_an_end_and_tells_its_rate(offer, own_cache, monkeypatch, capsys):
    server = offer()
    monkeypatch.setattr(download_module, "TIMEOUT", 1.0)
    server.plans["/file.zip"] = ["drip:0.05"] * 4
    with pytest.raises(DownloadError, match=r"broke off at \d+ bytes of 700,000 \(only \d+ bytes a second came\)"):
        fetch("sample", progress=True)
    assert "B/s" in capsys.readouterr().err
    assert len(server.log) == 4
    assert get().read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["head", "chunk"])
def test_a_header_that_never_ends_has_an_end(offer, own_cache, monkeypatch, place):
    server = offer()
    monkeypatch.setattr(download_module, "TIMEOUT", 0.5)
    server.plans["/file.zip"] = [f"{place}:0.02"] * 4
    start = time.monotonic()
    with pytest.raises(DataNotFoundError, match="only 0 bytes a second came"):
        get()
    assert time.monotonic() - start < 8
    assert len(server.log) == 4
    assert litter(own_cache) == []
    assert get().read_bytes() == CONTENT


def test_a_server_that_sends_on_and_on_is_left_when_all_is_there(offer):
    server = offer()
    server.plans["/file.zip"] = ["endless"]
    assert get().read_bytes() == CONTENT
    assert len(server.log) == 1


def test_the_proxy_that_does_not_answer_is_named_without_its_password(offer, monkeypatch):
    offer(urls=("https://photos.test/file.zip",))
    monkeypatch.setenv("HTTPS_PROXY", "http://ana:secret@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(DataNotFoundError, match=r"the proxy http://127\.0\.0\.1:9 ") as caught:
        get()
    assert "secret" not in str(caught.value)


def test_a_bundle_of_certificates_that_is_not_there_is_named(offer, monkeypatch, tmp_path):
    server = offer()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(TlhelpersError, match=r"REQUESTS_CA_BUNDLE .*none\.pem.*unset it"):
        get()
    assert server.log == []


def test_server_error_is_tried_again(offer):
    server = offer()
    server.plans["/file.zip"] = ["500", "503"]
    assert get().read_bytes() == CONTENT
    assert len(server.log) == 3


def test_a_file_that_is_not_there_is_not_asked_for_again(offer):
    server = offer()
    del server.files["/file.zip"]
    with pytest.raises(DataNotFoundError, match="404"):
        get()
    assert len(server.log) == 1


def test_second_mirror_serves_when_the_first_is_down(offer):
    server = offer()
    offer(urls=(NOWHERE, f"{server.url}/missing.zip", f"{server.url}/file.zip"))
    assert get().read_bytes() == CONTENT


def test_wrong_content_is_refused_and_not_kept(offer, own_cache):
    server = offer()
    for content in (CONTENT[:-1] + b"a", CONTENT + b"a", CONTENT[:-1], b"GIF89a" + CONTENT[6:]):
        server.files["/file.zip"] = content
        with pytest.raises(DownloadError, match="should have"):
            get()
        assert litter(own_cache) == []


def test_an_old_beginning_of_another_file_does_not_spoil_the_download(offer, own_cache):
    offer()
    part = own_cache / "downloads/sample/file.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"PK\x03\x04" * 250)
    assert get().read_bytes() == CONTENT
    part.write_bytes(b"x" * 800_000)  # longer than the file: the range is refused
    (part.parent / "file.zip").unlink()
    assert get().read_bytes() == CONTENT


def test_wrong_first_mirror_does_not_hide_a_right_second(offer):
    server = offer()
    server.files["/lie.zip"] = CONTENT[::-1]
    offer(urls=(f"{server.url}/lie.zip", f"{server.url}/file.zip"))
    assert get().read_bytes() == CONTENT


def test_archive_arrives_packed_whatever_the_server_calls_it(offer):
    packed = gzip.compress(CONTENT)
    server = offer()
    server.files["/file.gz"] = packed
    sha256 = hashlib.sha256(packed).hexdigest()
    offer(path="sample/file.gz", urls=(f"{server.url}/file.gz",), sha256=sha256, size=len(packed))
    assert get().read_bytes() == packed


def test_without_network_and_data_the_error_says_what_to_do(offer, own_cache):
    offer(urls=(NOWHERE,))
    with pytest.raises(DataNotFoundError) as caught:
        get()
    message = str(caught.value)
    for part in ("tlhelpers fetch sample --to", "TLHELPERS_DATA", "drawn_pets", NOWHERE, str(own_cache)):
        assert part in message


def test_pack_comes_first_and_is_only_read(offer, tmp_path, monkeypatch):
    server = offer(stand_ins=("sample/subset.zip",))
    pack = tmp_path / "paquete ñ"
    (pack / "sample").mkdir(parents=True)
    (pack / "sample/subset.zip").write_bytes(b"a selection")
    for path in (pack / "sample/subset.zip", pack / "sample", pack):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("TLHELPERS_DATA", str(pack))
    try:
        assert get() == pack / "sample/subset.zip"
        assert server.log == []
        assert litter(pack) == ["subset.zip"]
    finally:
        for path in (pack, pack / "sample"):
            path.chmod(0o755)


def test_classroom_pack_works_as_data_folder(offer, tmp_path, monkeypatch, own_cache):
    server = offer()
    downloaded = get(to=tmp_path / "stick")
    assert litter(own_cache) == []
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path / "stick"))
    assert get() == downloaded == tmp_path / "stick/sample/file.zip"
    copied = get(to=tmp_path / "another")  # from the pack, without the network
    assert copied.read_bytes() == CONTENT
    assert len(server.log) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are POSIX")
def test_full_disk_during_a_download(offer, own_cache):
    server = offer()
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from tlhelpers.data import sources
from tlhelpers.data.fetch import fetch
file = sources.RemoteFile("sample/file.zip", ("{server.url}/file.zip",), "{SHA}", {len(CONTENT)})
sources.DATA_SETS["sample"] = (file,)
fetch("sample", progress=False)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "No room to write" in done.stderr
    assert litter(own_cache) == []


def test_two_processes_download_once(offer, own_cache):
    server = offer()
    script = f"""
from tlhelpers.data import sources
from tlhelpers.data.fetch import fetch
file = sources.RemoteFile("sample/file.zip", ("{server.url}/file.zip",), "{SHA}", {len(CONTENT)})
sources.DATA_SETS["sample"] = (file,)
print(fetch("sample", progress=False)[0].stat().st_size)
"""
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == [str(len(CONTENT))] * 2
    assert len(server.log) == 1


def run_command(*words):
    parser = argparse.ArgumentParser()
    fetch_module.add_arguments(parser)
    return fetch_module.run(parser.parse_args(words))


def test_command_fetches_and_lists(offer, tmp_path, capsys):
    offer()
    assert run_command("sample", "--to", str(tmp_path / "stick"), "--quiet") == 0
    assert str(tmp_path / "stick/sample/file.zip") in capsys.readouterr().out
    assert run_command("--list") == 0
    listed = capsys.readouterr().out
    assert "cats_vs_dogs" in listed
    assert "825 MB" in listed
    assert "keras/NAME" in listed
    assert run_command() == 2


def test_command_notices_a_misspelled_name_before_it_downloads(offer):
    server = offer()
    with pytest.raises(UnknownNameError, match="Did you mean 'cats_vs_dogs'"):
        run_command("sample", "cats_vs_dog")
    assert server.log == []
