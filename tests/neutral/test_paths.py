import os
import signal
import subprocess
import sys
import time

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


WAIT = """
import sys, time
from pathlib import Path
from tlhelpers.paths import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    time.sleep(100)
"""
WRITE = """
import sys
from pathlib import Path
from tlhelpers.paths import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("whole")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_what_killed_processes_left_goes_at_the_next_start_and_what_others_write_stays(tmp_path):
    killed, running = (
        subprocess.Popen([sys.executable, "-c", WAIT, str(tmp_path / name)]) for name in ("01 ñ.ipynb", "02.json")
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    mine = tmp_path / ".01.part-of-my-thesis.ipynb"
    mine.write_text("a learner's own")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 3
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path / "03.json")], check=True)
    left = {path.name for path in tmp_path.iterdir()} - {mine.name, "03.json"}
    assert len(left) == 1
    assert left.pop().startswith(".02.part-")
    running.kill()
    running.wait()


def test_a_folder_that_is_closed_is_named(tmp_path, ordinary):
    closed = tmp_path / "cerrada"
    closed.mkdir()
    closed.chmod(0o555)
    environment = os.environ | {"TLHELPERS_LANGUAGE": "es"}
    for target in (closed / "x.json", closed / "new" / "x.json"):
        done = subprocess.run(
            [sys.executable, "-c", WRITE, str(target)], capture_output=True, text=True, preexec_fn=ordinary,
            env=environment,
        )  # fmt: skip
        assert f"TlhelpersError: Esta cuenta no tiene acceso a {closed}" in done.stderr
    environment["TLHELPERS_CACHE"] = str(closed / "cache")
    script = "from tlhelpers.paths import cache_folder; cache_folder()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, preexec_fn=ordinary, env=environment
    )
    assert "TlhelpersError: No se puede escribir en la carpeta de la caché" in done.stderr
    assert "TLHELPERS_CACHE" in done.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root may become another account")
def test_an_account_without_a_home_is_told_to_name_a_cache():
    script = """
import os, platformdirs.unix
from tlhelpers import doctor
from tlhelpers.paths import cache_folder
os.setuid(54321)  # which no list of accounts has, as in some containers
print(doctor._cache_path())
cache_folder()
"""
    environment = {name: os.environ[name] for name in os.environ.keys() - {"HOME", "XDG_CACHE_HOME", "TLHELPERS_CACHE"}}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert "TlhelpersError: This account has no home folder for a cache. Set TLHELPERS_CACHE" in done.stderr
    assert done.stdout == "/nonexistent\n"


def test_relative_folders_begin_where_the_person_stands(tmp_path, monkeypatch):
    jupyter_client = pytest.importorskip("jupyter_client", reason="needs Jupyter")
    (tmp_path / "course" / "notebooks").mkdir(parents=True)
    (tmp_path / "course" / "pack").mkdir()
    (tmp_path / "course" / "notebooks" / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "course")
    monkeypatch.setenv("TLHELPERS_DATA", "./pack")
    monkeypatch.setenv("TLHELPERS_CACHE", "cache")
    assert data_folder() == tmp_path / "course" / "pack"
    monkeypatch.setenv("PWD", str(tmp_path / "course"))  # as the shell does, from which Jupyter is started
    manager, client = jupyter_client.manager.start_new_kernel(cwd=str(tmp_path / "course" / "notebooks"))
    try:
        found = []
        code = """
import os
from tlhelpers.paths import cache_folder, data_folder
print(data_folder(), cache_folder())
os.environ["TLHELPERS_DATA"] = "mine"
print(data_folder())
"""
        reply = client.execute_interactive(code, timeout=60, output_hook=found.append)
    finally:
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    printed = "".join(message["content"].get("text", "") for message in found).split()
    assert printed == [str(tmp_path / "course" / name) for name in ("pack", "cache", "notebooks/mine")]


def test_importing_the_data_layer_loads_no_heavy_library():
    heavy = {"sklearn", "scipy", "matplotlib", "requests", "torch", "tensorflow"}
    script = f"import sys, tlhelpers.data.datasets; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"
