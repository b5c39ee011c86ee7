"""What `tlhelpers doctor` looks at: packages, frameworks, the kernel, folders. Nothing here imports a framework.

Each framework is asked in a process of its own, with a time-out: loaded together they abort, and one that is broken may
take its process with it.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tlhelpers.data.sources import DATA_SETS
from tlhelpers.errors import said

PROGRAMS = {
    "pytorch": """
import torch
found = {"version": torch.__version__, "accelerator": None, "problem": None}
if torch.cuda.is_available():
    found["accelerator"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
elif torch.backends.mps.is_available():
    found["accelerator"] = "Apple GPU (MPS)"
try:
    import torchvision
    import torchvision.ops
    found["torchvision"] = torchvision.__version__
except Exception as error:
    found["problem"] = f"torchvision {WORDS} torch {torch.__version__}: {type(error).__name__}: {error}"
""",
    "tensorflow": """
import tensorflow as tf
gpus = tf.config.list_physical_devices("GPU")
names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
found = {"version": tf.__version__, "keras": tf.keras.__version__, "accelerator": ", ".join(names) or None}
found["problem"] = None
""",
}
MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def list_requirements() -> dict[str, list[str]]:
    """What the package needs by extra (`base` for what is always needed), such as `torch>=2.8`, on this machine.

    Empty where the package itself was not installed.
    """
    found: dict[str, list[str]] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("tlhelpers") or []:
            name, _, marker = line.partition(";")
            extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
            if _applies(marker, extra[1] if extra else ""):
                found.setdefault(extra[1] if extra else "base", []).append(name.strip())
    return found


def _applies(marker: str, extra: str) -> bool:
    """Whether a requirement is one on this machine; where `packaging`, a base dependency's, is missing, all are."""
    try:
        from packaging.markers import Marker
    except ImportError:
        return True
    return not marker or Marker(marker).evaluate({"extra": extra})


def list_packages() -> dict[str, dict[str, str | None]]:
    """The versions of all dependencies by extra; None where one is missing."""
    names = {extra: [re.match(r"[\w.-]+", line)[0] for line in lines] for extra, lines in list_requirements().items()}
    return {extra: {name: _version(name) for name in some} for extra, some in names.items()}


def ask_framework(framework: str, seconds: float = 120) -> dict:
    """What one framework says of itself, from a process of its own.

    Args:
        framework: `pytorch` or `tensorflow`.
        seconds: How long to wait for the answer.

    Returns:
        `installed`, and where it is: `version`, `accelerator` (None for the processor alone), `problem` (None if none).
    """
    if importlib.util.find_spec(MODULES[framework]) is None:
        return {"installed": False, "problem": None, "accelerator": None}
    words = said("does not fit", "no encaja con")
    program = f"WORDS = {words!r}\n{PROGRAMS[framework]}\nimport json\nprint(json.dumps(found))"
    answer = {"installed": True, "version": _version(MODULES[framework]), "accelerator": None}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return answer | json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        late = said("it did not answer within {:g} seconds", "no contestó en {:g} segundos")
        return answer | {"problem": late.format(seconds)}
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        failed = said("it does not import (exit code {}): {}", "no se puede importar (código de salida {}): {}")
        return answer | {"problem": failed.format(done.returncode, last)}


def list_nvidia_gpus() -> list[str]:
    """The GPUs that NVIDIA's driver knows; empty where there is no driver."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.split(" (UUID")[0] for line in done.stdout.splitlines() if line.startswith("GPU ")]


def find_kernel() -> dict:
    """The Jupyter kernel `python3`: its Python, and the `problem` (None if it runs in this environment)."""
    try:
        import ipykernel  # noqa: F401  the kernel itself
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError as error:
        return {"python": None, "problem": f"{error.name} {said('is not installed', 'no está instalado')}"}
    try:
        python = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        missing = said("Jupyter finds no kernel named python3", "Jupyter no encuentra ningún kernel llamado python3")
        return {"python": None, "problem": missing}
    if not os.path.isabs(python):  # "python" stands for the interpreter that starts the kernel, which is this one
        return {"python": sys.executable, "problem": None}
    ours = Path(sys.prefix).resolve() in Path(python).parent.resolve().parents
    other = said("kernel python3 belongs to another environment", "el kernel python3 es de otro entorno")
    return {"python": python, "problem": None if ours else f"{other}: {python}"}


def look_at_folder(folder: Path, *, size: bool) -> dict:
    """Whether a folder is there and can be written to, its size (None unless asked for) and the disk's free bytes."""
    folder = Path(folder).expanduser().absolute()
    above = next(place for place in (folder, *folder.parents) if place.is_dir())
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return {
        "path": str(folder),
        "exists": folder.is_dir(),
        "writable": _can_write(above),
        "bytes": sum(file.stat().st_size for file in files) if size and folder.is_dir() else None,
        "free_bytes": shutil.disk_usage(above).free,
    }


def find_data(folders: list[Path]) -> dict[str, str | None]:
    """The folder in which each data set lies, the first of these; None where one of its files is in none of them."""
    found: dict[str, str | None] = {}
    for name, files in DATA_SETS.items():
        ways = [(file.path, *file.stand_ins) for file in files]
        places = [next((f for f in folders if any((f / way).is_file() for way in any_of)), None) for any_of in ways]
        found[name] = str(places[0]) if all(places) else None
    return found


def find_weights(folders: list[Path]) -> list[str]:
    """The files of networks' weights in the folders, by name; those that the package brings are not among them."""
    places = ("weights/*", "torch/hub/checkpoints/*", "keras/models/*.h5", "huggingface/hub/models--*")
    found = {path.name for folder in folders for place in places for path in folder.glob(place)}
    return sorted(name for name in found if not name.startswith("."))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _can_write(folder: Path) -> bool:
    # Asked by writing: permission bits say nothing of a read-only disk or of the administrator.
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
