import subprocess
import sys

import pytest

from tlhelpers.errors import DataNotFoundError, TlhelpersError
from tlhelpers.paths import atomic_path, cache_folder, data_folder


def test_folders_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path / "caché"))
    monkeypatch.delenv("TLHELPERS_DATA", raising=False)
    assert data_folder() is None
    assert cache_folder() == tmp_path / "caché"
    assert cache_folder().is_dir()
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path))
    assert data_folder() == tmp_path


def test_data_folder_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataNotFoundError, match="nowhere"):
        data_folder()


def test_cache_that_cannot_be_made_says_which_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(TlhelpersError, match="TLHELPERS_CACHE"):
        cache_folder()


def test_atomic_path_replaces_only_on_success(tmp_path):
    target = tmp_path / "ergebnis_ñ.json"
    target.write_text("old")

    def break_off():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        break_off()
    assert target.read_text() == "old"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are POSIX")
def test_full_disk_is_explained_and_leaves_nothing(tmp_path):
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from pathlib import Path
from tlhelpers.paths import atomic_path
with atomic_path(Path({str(tmp_path / "big.bin")!r})) as temporary:
    temporary.write_bytes(bytes(5000))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "TlhelpersError: No room to write" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_importing_the_data_layer_loads_no_heavy_library():
    heavy = {"sklearn", "scipy", "matplotlib", "requests", "pooch", "torch", "tensorflow"}
    script = f"import sys, tlhelpers.data.datasets; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"
