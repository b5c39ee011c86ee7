"""Makes the environment `.venv` and installs the course into it, with the versions of requirements.txt.

    python3 scripts/setup.py                        everything: both frameworks, notebooks, grading, tests
    python3 scripts/setup.py --extras pytorch,lab   one framework, and what opens and runs notebooks

Needs Python 3.10 to 3.14 (TensorFlow: to 3.13) and nothing else. What is there stays, what is missing is added. On
Linux without an NVIDIA GPU PyTorch comes in its build for processors, from the index that TORCH_CPU_INDEX names, by
default PyTorch's own.
UV_TORCH_BACKEND in the environment (cpu, cu132, ...) names a build and so decides.
"""

import argparse
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed"  # a fingerprint of PINS ("-" while an installation is under way), then extras
OLDEST, NEWEST = (3, 10), (3, 14)
TENSORFLOW_NEWEST = (3, 13)  # its wheels stop there; everything else has some for 3.14
ASK = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"

EXTRAS = ("pytorch", "tensorflow", "lab", "grading", "dev", "site")
# GB to fetch and GB on the disk, measured with Python 3.11 on Linux x86-64. `cuda` is what PyTorch's default build has
# and the build for processors has not: NVIDIA's packages, Triton, and PyTorch's own libraries for CUDA.
SIZES = {
    "base": (0.06, 0.24),
    "pytorch": (0.24, 0.96),
    "cuda": (2.83, 4.81),
    "tensorflow": (0.63, 2.08),
    "lab": (0.12, 0.45),
    "grading": (0.01, 0.03),
    "dev": (0.02, 0.05),
    "site": (0.07, 0.24),
}
PINS = ("requirements.txt", "pyproject.toml", "tlcourse/pyproject.toml", "tlgrade/pyproject.toml", "scripts/setup.py")
CPU_INDEX = os.environ.get("TORCH_CPU_INDEX", "https://download.pytorch.org/whl/cpu").rstrip("/")
PATIENCE = 5  # seconds that the index has to answer


def version_of(python):
    """The version of an interpreter that can make environments, as (3, 12); None where it fails or lacks venv."""
    try:
        answer = subprocess.run([python, "-c", ASK], capture_output=True, text=True, timeout=60)
        return tuple(int(part) for part in answer.stdout.split(".")) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def fits(version, newest=NEWEST):
    """Whether the course runs on this version."""
    return version is not None and OLDEST <= version <= newest


def find_python(newest=NEWEST):
    """This interpreter where it fits, else a fitting one on the PATH; exits with advice where there is none.

    Where none is old enough for TensorFlow, one that suits the rest.
    """
    own = sys.version_info[:2]
    if fits(own, newest) and version_of(sys.executable):
        return sys.executable
    for minor in range(newest[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and fits(version_of(other), newest):
            return other
    if newest < NEWEST:
        return find_python(NEWEST)
    if fits(own):
        problem = f"Python {own[0]}.{own[1]} at {sys.executable} has no venv or no ensurepip."
        mend = (
            f"On Debian and Ubuntu: sudo apt-get install python{own[0]}.{own[1]}-venv. Elsewhere install Python anew."
        )
    else:
        problem = f"expected Python 3.10 to 3.14, came {own[0]}.{own[1]} ({sys.executable})."
        mend = "Install one of those, or name one: make PYTHON=/path/to/python3.12 demo."
    sys.exit(f"setup: {problem}\n       {mend}")


def make_venv(extras):
    """Makes `.venv`, or keeps it where it works; returns its Python."""
    inside = str(BIN / ("python.exe" if os.name == "nt" else "python"))
    if not fits(version_of(inside)):
        python = find_python(TENSORFLOW_NEWEST if "tensorflow" in extras else NEWEST)
        print(f"Making .venv with {python}", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=True)
    if "tensorflow" in extras and not fits(version_of(inside), TENSORFLOW_NEWEST):
        print("TensorFlow has no build for this Python: its lessons need 3.13 or older, the others will run.")
    return inside


def fingerprint():
    """Changes with each file that says what to install."""
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in PINS)).hexdigest()


def read_stamp():
    """The fingerprint and the extras that `.venv` was filled with last."""
    pins, *extras = (STAMP.read_text() if STAMP.exists() else "").split() or ["-"]
    return pins, set(extras)


def has_nvidia_gpu():
    """Whether NVIDIA's driver is loaded (on a plain Linux) or its tool lists a GPU (also in WSL and containers)."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
        return answer.returncode == 0 and "GPU" in answer.stdout
    except (OSError, subprocess.TimeoutExpired):
        return False


def answers(index, seconds=PATIENCE):
    """Whether a package index answers within so many seconds, a slow look-up of its name included; tries once."""
    heard = []

    def ask():
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as answer:
                heard.append(answer.status)
        except (OSError, ValueError, http.client.HTTPException):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(heard)


def choose_torch():
    """Whether to ask CPU_INDEX for PyTorch, whether CUDA comes with it, and a sentence that says so."""
    named = os.environ.get("UV_TORCH_BACKEND")
    if named:
        return False, named != "cpu", f"UV_TORCH_BACKEND asks for PyTorch's build {named!r}."
    if sys.platform != "linux":
        return False, False, "The registry's build of PyTorch is the one for this system."
    if has_nvidia_gpu():
        return False, True, "There is an NVIDIA GPU: PyTorch comes with CUDA."
    if answers(CPU_INDEX):
        return True, False, f"No NVIDIA GPU is seen: PyTorch comes in its build for processors, from {CPU_INDEX}"
    problem = f"No NVIDIA GPU is seen, but {CPU_INDEX} does not answer within {PATIENCE} seconds:"
    return False, True, f"{problem} PyTorch comes from the package registry, with NVIDIA's packages."


def size_of(parts):
    """How much these parts of SIZES are together, in words."""
    fetched, kept = (sum(SIZES[part][column] for part in parts) for column in (0, 1))
    return f"up to {max(fetched, 0.1):.1f} GB to fetch, {max(kept, 0.1):.1f} GB on the disk"


def list_targets(extras):
    """The three packages of the clone, as far as these extras need them, with their extras."""
    own = ",".join(extra for extra in ("pytorch", "tensorflow", "lab") if extra in extras)
    targets = [f".[{own}]" if own else "."]
    if extras & {"lab", "dev", "site"}:
        chosen = ",".join(extra for extra in ("dev", "site") if extra in extras)
        targets.append(f"./tlcourse[{chosen}]" if chosen else "./tlcourse")
    if "grading" in extras:
        targets.append("./tlgrade[cluster]" if "dev" in extras else "./tlgrade")
    return [part for target in targets for part in ("-e", target)]


def install(python, extras, from_cpu_index):
    """Installs with uv, which is quick and compiles bytecode; with pip where uv is not to be had."""
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}

    def run(*command):
        return subprocess.run([python, "-m", *command, "-c", "requirements.txt"], cwd=ROOT, env=environment).returncode

    quiet = [] if sys.stderr.isatty() else ["--quiet"]  # in a log, 180 lines of package names hide what matters
    pip = ["pip", "--disable-pip-version-check", "install", *quiet]
    uv = ["uv", "pip", "install", "--python", python, *quiet]
    has_uv = run(*pip, "-q", "uv") == 0
    if from_cpu_index:  # these two alone: that index has old copies of other packages too
        first = [*uv, "--index"] if has_uv else [*pip, "--index-url"]
        if run(*first, CPU_INDEX, "--no-deps", "torch", "torchvision"):
            more = size_of(["cuda"])
            print(f"setup: not to be had there (see above). The package registry's build: {more} more.", flush=True)
    targets = list_targets(extras)
    if has_uv:
        if run(*uv, "--compile-bytecode", *targets) == 0:
            return
        print("setup: uv could not install everything (see above); trying again with pip", flush=True)
    if run(*pip, *targets):
        sys.exit(
            "setup: pip could not install everything; its messages stand above. Is there a network, and enough space "
            "on the disk? The same command goes on from here."
        )


def main():
    """Makes the environment and adds what it lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default=",".join(EXTRAS), help="what to install (%(default)s)")
    wanted = set(filter(None, parser.parse_args().extras.split(",")))
    if wanted - set(EXTRAS):
        unknown = ",".join(sorted(wanted - set(EXTRAS)))
        parser.error(f"expected extras among {','.join(EXTRAS)}, separated by commas, came {unknown!r}")
    python = make_venv(wanted)
    pins, had = read_stamp()
    now, extras = fingerprint(), had | wanted
    if (pins, had) == (now, extras):
        return
    parts = sorted(extras - had) + ([] if had else ["base"])
    from_cpu_index = False
    if "pytorch" in extras and ("pytorch" in parts or pins != now):
        from_cpu_index, with_cuda, sentence = choose_torch()
        parts += ["cuda"] if with_cuda and "pytorch" in parts else []
        print(sentence)
    print(f"Installing {', '.join(sorted(extras))}: {size_of(parts) if parts else 'what has changed'}", flush=True)
    STAMP.write_text(" ".join(["-", *had]))
    install(python, extras, from_cpu_index)
    STAMP.write_text(" ".join([now, *sorted(extras)]) + "\n")
    print(f"Ready. {BIN.relative_to(ROOT) / 'tlhelpers'} doctor tells what is there.")


if __name__ == "__main__":
    main()
