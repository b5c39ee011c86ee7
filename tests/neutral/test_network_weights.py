"""Weights of the libraries' own networks in a classroom pack: fetched from a server on the loopback, used without one.

The libraries run as they are, with random weights in their own formats. What they ask of an `https` address is
answered by the local server, as a proxy would; the Hugging Face client has a variable for its server's address.
"""

import functools
import gzip
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tlhelpers.data import network_weights
from tlhelpers.data.network_weights import fetch_network, use_pack_caches
from tlhelpers.errors import DownloadError, TlhelpersError, UnknownNameError
from tlhelpers.weights import imagenet_classes

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
TIMM = "test_resnet.r160_in1k"  # a network of a few hundred kilobytes
ON_START = """
import os, urllib.request

class Loopback(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return urllib.request.urlopen(os.environ["LOOPBACK"] + "/" + request.full_url.rsplit("/", 1)[1])

urllib.request.install_opener(urllib.request.build_opener(Loopback()))
if "SQUEEZENET" in os.environ:  # the file of random weights has another checksum in its name than the real one
    from torchvision import models
    models.SqueezeNet1_1_Weights.DEFAULT.value.url = "https://weights.test/" + os.environ["SQUEEZENET"]
"""
MAKE = {
    "torchvision": """
import sys, torch
from torchvision import models
torch.manual_seed(5)
network = models.squeezenet1_1()
torch.save(network.state_dict(), sys.argv[1])
print(float(next(network.parameters()).sum()))
""",
    "timm": """
import sys, timm, torch
from safetensors.torch import save_file
torch.manual_seed(5)
network = timm.create_model("test_resnet")
save_file(network.state_dict(), sys.argv[1])
print(float(next(network.parameters()).sum()))
""",
    "keras": """
import sys, h5py, keras
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
keras.utils.set_random_seed(5)
for include_top, path in ((True, sys.argv[1]), (False, sys.argv[2])):
    network = keras.applications.MobileNetV2(weights=None, include_top=include_top)
    with h5py.File(path, "w") as group:  # the format that Keras publishes its weights in
        save_weights_to_hdf5_group(group, network)
print(float(network.get_weights()[0].sum()))
""",
}
USE = {  # in a learner's notebook: the library's own call, and some number of the weights
    "torchvision": """
from torchvision import models
import os
models.SqueezeNet1_1_Weights.DEFAULT.value.url = "https://weights.test/" + os.environ["SQUEEZENET"]
print(float(next(models.get_model("squeezenet1_1", weights="DEFAULT").parameters()).sum()))
""",
    "timm": f"""
import timm
print(float(next(timm.create_model("{TIMM}", pretrained=True).parameters()).sum()))
""",
    "keras": """
import keras, numpy as np
network = keras.applications.MobileNetV2(weights="imagenet", include_top=False)
print(float(network.get_weights()[0].sum()))
print(keras.applications.mobilenet_v2.decode_predictions(np.eye(1000)[[285]], top=1)[0][0][1])
""",
}


@pytest.fixture(scope="module")
def loopback():
    """A server of `files` by name, at `url`; it answers as the Hugging Face hub does."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(False)

        def do_GET(self):
            self.answer(True)

        def answer(self, body):
            content = self.server.files.get(self.path.rsplit("/", 1)[1])
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "1" * 40)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {}
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def online(loopback, tmp_path, monkeypatch, own_cache):
    """The server, in the place of the libraries' own ones, for the processes that are started."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(ON_START)
    for name, value in {"PYTHONPATH": site, "LOOPBACK": loopback.url, "HF_ENDPOINT": loopback.url}.items():
        monkeypatch.setenv(name, str(value))
    for name in network_weights.CACHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    loopback.files.clear()
    return loopback


def run(script, *arguments, **environment):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def make(library):
    """Files of random weights, and the sum of the first tensor."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("a", "b")]
        said = run(MAKE[library], *paths, PYTHONPATH="", HOME=folder)
        return [path.read_bytes() for path in paths if path.exists()], float(said.split()[-1])


def offer(server, library, monkeypatch):
    """Puts random weights of a library's network on the server; the name to fetch them by, and the sum of the first."""
    module = {"torchvision": "torchvision", "timm": "timm", "keras": "tensorflow"}[library]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}")
    contents, first = make(library)
    if library == "keras":
        start = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"
        names = [f"{start}.h5", f"{start}_no_top.h5"]
        classes = {
            str(k): [wordnet_id, name.replace(" ", "_")] for k, (wordnet_id, name) in enumerate(imagenet_classes())
        }
        classes["134"][1], classes["639"][1] = "crane", "maillot"  # as Keras has them, so that its checksum is right
        server.files["imagenet_class_index.json"] = json.dumps(classes).encode()
    elif library == "timm":
        names = ["model.safetensors"]
    else:
        names = [f"squeezenet1_1-{hashlib.sha256(contents[0]).hexdigest()[:8]}.pth"]
        monkeypatch.setenv("SQUEEZENET", names[0])
    server.files.update(zip(names, contents, strict=True))
    network = {"torchvision": "squeezenet1_1", "timm": TIMM, "keras": "MobileNetV2"}[library]
    return f"{library}/{network}", first


@pytest.mark.parametrize("library", ["torchvision", "timm", "keras"])
def test_what_was_fetched_into_a_pack_is_found_there_without_a_network(library, online, tmp_path, monkeypatch):
    name, first = offer(online, library, monkeypatch)
    pack = tmp_path / "paquete ñ"
    fetch_network(name, pack)
    assert [path.name for path in pack.iterdir()] == [
        {"torchvision": "torch", "timm": "huggingface"}.get(library, library)
    ]
    own = [tmp_path / "home" / place for place in (".keras", ".cache/torch", ".cache/huggingface")]
    assert not any(path.exists() for path in own)

    offline = {"PYTHONPATH": "", "HF_ENDPOINT": NOWHERE, "HTTPS_PROXY": NOWHERE, "TLHELPERS_DATA": str(pack)}
    start = "from tlhelpers.data.network_weights import use_pack_caches\nprint(*use_pack_caches())"
    variable, weights, *more = run(start + USE[library], **offline).split()
    assert variable == next(v for v, (folder, _) in network_weights.CACHES.items() if (pack / folder).is_dir())
    assert float(weights) == pytest.approx(first, rel=1e-4)
    assert more == (["Egyptian_cat"] if library == "keras" else [])


def test_a_file_with_another_checksum_than_the_library_knows_is_not_kept(online, tmp_path, monkeypatch, capfd):
    offer(online, "torchvision", monkeypatch)
    file = os.environ["SQUEEZENET"]
    online.files[file] = online.files[file][:-1] + b"x"
    with pytest.raises(DownloadError, match="'squeezenet1_1'"):
        fetch_network("torchvision/squeezenet1_1", tmp_path / "pack")
    assert "invalid hash value" in capfd.readouterr().err
    assert [path for path in (tmp_path / "pack").rglob("*") if path.is_file()] == []


def test_a_login_page_does_not_stay_as_the_weights_of_a_network_without_checksum(online, tmp_path, monkeypatch, capfd):
    name, _ = offer(online, "keras", monkeypatch)
    weights = dict(online.files)
    online.files.update(dict.fromkeys(weights, b"<html>Please log in to SchoolNet</html>"))
    with pytest.raises(DownloadError, match="'MobileNetV2'"):
        fetch_network(name, tmp_path / "pack")
    assert "it held no weights" in capfd.readouterr().err
    assert list((tmp_path / "pack").rglob("*.h5")) == []
    online.files.update(weights)
    fetch_network(name, tmp_path / "pack")
    assert len(list((tmp_path / "pack").rglob("*.h5"))) == 2


def test_a_notebook_that_starts_clears_pages_from_kerass_cache_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TLHELPERS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    kept = {"good.h5": b"\x89HDF\r\n\x1a\n and so on", "classes.json": b"{}", "begun.h5": b"", "mine.h5": b"PK\3\4"}
    page = "<!DOCTYPE html>"
    pages = {"page.h5": page.encode(), "page2.h5": b"\r\n" * 300 + page.encode(), "page3.h5": page.encode("utf-16")}
    pages |= {"page4.h5": gzip.compress(page.encode()), "page5.h5": b"Authentication required"}
    for file, content in {**kept, **pages}.items():
        (tmp_path / "models" / file).write_bytes(content)
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    assert use_pack_caches() == {}
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted(kept)
    said = capsys.readouterr().err
    assert f"{tmp_path / 'models/page.h5'}\nSe ha borrado, pues no contenía pesos." in said


def test_unknown_names_are_told(tmp_path):
    for name in ("resnet18", "torchvison/resnet18", "torchvision"):
        with pytest.raises(UnknownNameError, match="keras, timm, torchvision"):
            fetch_network(name, tmp_path)


def make_pack(tmp_path, monkeypatch):
    pack = tmp_path / "pack"
    (pack / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    (pack / "torch" / "hub" / "checkpoints" / "net.pth").write_bytes(b"weights")
    (pack / "keras").mkdir()
    monkeypatch.setenv("TLHELPERS_DATA", str(pack))
    for name in network_weights.CACHES:
        monkeypatch.delenv(name, raising=False)
    return pack


def test_only_what_the_pack_has_and_nobody_has_set_is_set(tmp_path, monkeypatch, own_cache):
    pack = make_pack(tmp_path, monkeypatch)
    monkeypatch.setenv("KERAS_HOME", "/elsewhere")
    assert use_pack_caches() == {"TORCH_HOME": str(pack / "torch")}
    assert os.environ["TORCH_HOME"] == str(pack / "torch")
    assert "HF_HOME" not in os.environ
    assert use_pack_caches() == {}  # a second time, as when a cell is run again
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.delenv("TLHELPERS_DATA")
    assert use_pack_caches() == {}


def test_too_late_is_told(tmp_path, monkeypatch, own_cache):
    make_pack(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "keras", sys)
    with pytest.raises(TlhelpersError, match="keras has been imported"):
        use_pack_caches()
    assert "TORCH_HOME" not in os.environ


@pytest.mark.skipif(sys.platform == "win32", reason="users and modes are POSIX")
def test_pack_that_may_only_be_read_is_used_through_links(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which only its owner may enter
        folder = Path(folder)
        pack, cache = make_pack(folder, monkeypatch), folder / "cache"
        cache.mkdir()
        for path, mode in ((folder, 0o755), (cache, 0o777), (pack / "torch", 0o555), (pack / "keras", 0o555)):
            path.chmod(mode)
        said = run(
            """
import os
from pathlib import Path
from tlhelpers.data.network_weights import use_pack_caches
from tlhelpers.paths import shadow_warning
shadow_warning()  # imports what it needs, before the change of user, who may not read this Python
if os.getuid() == 0:  # who may write everywhere
    os.setuid(65534)
for _ in range(2):  # the second time the links are there
    os.environ.pop("TORCH_HOME", None)
    os.environ.pop("KERAS_HOME", None)
    home = Path(use_pack_caches()["TORCH_HOME"])
    (home / "hub" / "checkpoints" / "another.pth").write_bytes(b"downloaded later")
print((home / "hub" / "checkpoints" / "net.pth").resolve(), (home / "hub" / "checkpoints" / "net.pth").read_text())
""",
            TLHELPERS_CACHE=str(cache),
        )
        assert said.split() == [str((pack / "torch/hub/checkpoints/net.pth").resolve()), "weights"]
        assert not (pack / "torch/hub/checkpoints/another.pth").exists()
        (pack / "torch").chmod(0o755)
        (pack / "keras").chmod(0o755)
