"""A notebook copied alone into an empty folder: its first cell, in an environment without `tlhelpers`."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.course.test_wheel import wheel  # noqa: F401
from tlcourse.first_cell import INSTALL_TAG

ROOT = Path(__file__).resolve().parents[2]
OURS = ("tlhelpers", "tlcourse", "tlgrade", "__editable__", "_tlhelpers")
RUN = """
import sys, nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
notebook = nbformat.read(sys.argv[1], 4)
try:
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
finally:
    nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """An environment that has the packages of this one, but none of ours."""
    pytest.importorskip("nbclient", reason="runs the notebook")
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=300)
    others = folder / "others"
    others.mkdir()
    (here,) = [Path(place) for place in sys.path if place.endswith("site-packages") and sys.prefix in place]
    for entry in here.iterdir():
        if not entry.name.startswith((*OURS, "pip", "setuptools")):
            (others / entry.name).symlink_to(entry)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    return folder / "venv" / "bin" / "python"


@pytest.fixture
def index(wheel, tmp_path):  # noqa: F811
    """The address of a package index on this machine that has `tlhelpers` alone."""
    (tmp_path / "simple" / "tlhelpers").mkdir(parents=True)
    shutil.copy(wheel, tmp_path / "simple" / "tlhelpers")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()


def run_alone(python, tmp_path, environment, last=1, lesson="00_start_here", language="en"):
    """Runs a copied notebook's first `last` code cells; its outcome and the executed notebook's text."""
    notebook = json.loads((ROOT / "notebooks" / language / f"{lesson}_pytorch.ipynb").read_text(encoding="utf-8"))
    places = [i for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    assert INSTALL_TAG in notebook["cells"][places[0]]["metadata"]["tags"]
    notebook["cells"] = notebook["cells"][: places[last - 1] + 1 if last else None]
    copy = tmp_path / "empty" / "lesson.ipynb"
    (copy.parent / "tlhelpers").mkdir(parents=True)  # no package, and not taken for one
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLAB_RELEASE_TAG", "PIP_INDEX_URL")}
    kept |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "0"}
    command = [str(python), "-c", RUN, str(copy)]
    done = subprocess.run(command, cwd=copy.parent, env=kept | environment, capture_output=True, text=True, timeout=900)
    return done, copy.read_text(encoding="utf-8")


def forget(python):
    """Takes `tlhelpers` away again."""
    subprocess.run([str(python), "-m", "pip", "uninstall", "-y", "-q", "tlhelpers"], check=True, timeout=120)


def test_on_colab_the_first_cell_installs_what_is_missing_and_the_next_cells_run(python, index, tmp_path):
    try:
        done, text = run_alone(python, tmp_path, {"COLAB_RELEASE_TAG": "1", "PIP_INDEX_URL": index}, last=3)
        assert done.returncode == 0, done.stderr[-2000:]
        assert '"output_type": "error"' not in text
    finally:
        forget(python)


def test_elsewhere_the_first_cell_installs_nothing_and_says_what_to_do(python, index, tmp_path):
    done, text = run_alone(python, tmp_path, {"PIP_INDEX_URL": index}, language="es")
    assert done.returncode != 0
    assert "Este cuaderno necesita el paquete tlhelpers" in done.stderr
    assert 'pip install \\"tlhelpers[pytorch,lab]' in text


def test_without_a_network_the_first_cell_says_what_to_do(python, tmp_path):
    nowhere = {"COLAB_RELEASE_TAG": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    done, _ = run_alone(python, tmp_path, nowhere)
    assert done.returncode != 0
    assert "This notebook needs the package tlhelpers" in done.stderr
    assert "With a network: pip install" in done.stderr


def test_another_version_on_the_path_is_told(python, tmp_path):
    other = tmp_path / "other" / "tlhelpers"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "0.0.9"\n')
    done, text = run_alone(python, tmp_path, {"PYTHONPATH": str(other.parent)})
    assert done.returncode == 0, done.stderr[-2000:]
    assert "found 0.0.9" in text
    assert str(other) in text


@pytest.mark.slow
def test_lesson_00_runs_alone(python, index, tmp_path):
    pytest.importorskip("torch", reason="the lesson needs PyTorch")
    try:
        done, text = run_alone(python, tmp_path, {"COLAB_RELEASE_TAG": "1", "PIP_INDEX_URL": index}, last=0)
        assert done.returncode == 0, done.stderr[-2000:]
        assert '"output_type": "error"' not in text
    finally:
        forget(python)
