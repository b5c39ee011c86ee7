"""For tests of scripts/setup.py: package indexes on this machine with tiny wheels, and a clone all but empty."""

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
# Hands out the wheel that lies beside it: installing a clone in place then needs no setuptools from the network.
BACKEND = """
import pathlib, shutil
def build_editable(folder, config_settings=None, metadata_directory=None):
    (wheel,) = pathlib.Path(__file__).parent.glob("*.whl")
    shutil.copy(wheel, folder)
    return wheel.name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
VERSIONS = """
import importlib.metadata, json
print(json.dumps({found.metadata["Name"]: found.version for found in importlib.metadata.distributions()}))
"""


def pin_of(name):
    """The version that requirements.txt has for this Python."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.startswith(f"{name}==")]
    (version,) = [str(pin.specifier)[2:] for pin in pins if pin.marker is None or pin.marker.evaluate()]
    return version


def make_wheel(folder, name, version, *needs, extras=()):
    """A wheel of metadata alone; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {need}" for need in needs]
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


class Indexes:
    """PyTorch's index for processors and a registry, on one server; `asked` lists the paths that were asked for."""

    def __init__(self, folder):
        torch, torchvision = pin_of("torch"), pin_of("torchvision")
        self.cpu_torch = make_wheel(folder / "cpu/torch", "torch", f"{torch}+cpu")
        make_wheel(folder / "cpu/torchvision", "torchvision", f"{torchvision}+cpu")
        make_wheel(folder / "registry/torch", "torch", torch, "nvidia-stand-in")
        make_wheel(folder / "registry/torchvision", "torchvision", torchvision, f"torch=={torch}")
        make_wheel(folder / "registry/nvidia-stand-in", "nvidia_stand_in", "1")
        self.tensorflow = make_wheel(folder / "registry/tensorflow", "tensorflow", pin_of("tensorflow"))
        self.asked = asked = []

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                asked.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Clone:
    """What setup.py needs of a clone: itself, the pins, and three packages."""

    def __init__(self, root, indexes):
        self.root, self.indexes = root, indexes
        needs = [f"{name}=={pin_of(name)}; extra == 'pytorch'" for name in ("torch", "torchvision")]
        needs.append(f"tensorflow=={pin_of('tensorflow')}; extra == 'tensorflow'")
        make_wheel(root, "tlhelpers", "0.1.0", *needs, extras=("pytorch", "tensorflow", "lab"))
        make_wheel(root / "tlcourse", "tlcourse", "0.1.0", "tlhelpers[lab]", extras=("dev",))
        make_wheel(root / "tlgrade", "tlgrade", "0.1.0", "tlhelpers")
        for package in (root, root / "tlcourse", root / "tlgrade"):
            (package / "pyproject.toml").write_text(PROJECT)
            (package / "backend.py").write_text(BACKEND)
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/setup.py", root / "scripts")
        shutil.copy(ROOT / "requirements.txt", root)

    def setup(self, *arguments, cpu_index=None):
        """Runs scripts/setup.py, with nothing but the indexes within its reach."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "TORCH_"))}
        registry = f"{self.indexes.address}/registry"
        environment = kept | {"TORCH_CPU_INDEX": cpu_index or f"{self.indexes.address}/cpu", "NO_PROXY": "127.0.0.1"}
        environment |= {"PIP_INDEX_URL": registry, "PIP_CONFIG_FILE": os.devnull}
        environment |= {"UV_DEFAULT_INDEX": registry, "UV_NO_CONFIG": "1", "UV_NO_CACHE": "1"}
        command = [sys.executable, "scripts/setup.py", *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300)

    def versions(self):
        """What its `.venv` holds: versions by name."""
        ask = [self.root / ".venv/bin/python", "-c", VERSIONS]
        return json.loads(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
