"""Makes the environment `.venv` and installs the course into it, with the versions of requirements.txt.

    python3 scripts/setup.py                        everything: both frameworks, notebooks, tests
    python3 scripts/setup.py --extras pytorch,lab   one framework

Needs Python 3.10 to 3.13 and nothing else. `UV_TORCH_BACKEND=cpu` in the environment asks for PyTorch without CUDA.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed"  # written last: an interrupted installation is taken up again
OLDEST, NEWEST = (3, 10), (3, 13)
EXTRAS = "pytorch,tensorflow,lab,grading,dev"
ASK = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


def version_of(python):
    """The version of an interpreter that can make environments, as (3, 12); None where it fails or lacks venv."""
    try:
        answer = subprocess.run([python, "-c", ASK], capture_output=True, text=True, timeout=60)
        return tuple(int(part) for part in answer.stdout.split(".")) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def fits(version):
    """Whether the course runs on this version."""
    return version is not None and OLDEST <= version <= NEWEST


def find_python():
    """This interpreter where it fits, else a fitting one on the PATH; exits with advice where there is none."""
    own = sys.version_info[:2]
    if fits(own) and version_of(sys.executable):
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and fits(version_of(other)):
            return other
    if fits(own):
        problem = f"Python {own[0]}.{own[1]} at {sys.executable} has no venv or no ensurepip."
        mend = (
            f"On Debian and Ubuntu: sudo apt-get install python{own[0]}.{own[1]}-venv. Elsewhere install Python anew."
        )
    else:
        problem = f"expected Python 3.10 to 3.13, came {own[0]}.{own[1]} ({sys.executable})."
        mend = "Install one of those, or name one: make PYTHON=/path/to/python3.12 demo."
    sys.exit(f"setup: {problem}\n       {mend}")


def make_venv():
    """Makes `.venv`, or keeps it where it works; returns its Python."""
    inside = str(BIN / ("python.exe" if os.name == "nt" else "python"))
    if not fits(version_of(inside)):
        python = find_python()
        print(f"Making .venv with {python}", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=True)
    return inside


def install(python, extras):
    """Installs with uv, which is quick and compiles bytecode; with pip where uv is not to be had."""
    what = ["-c", "requirements.txt", "-e", f".[{extras}]"]
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
    print(f"Installing {extras}: several GB with both frameworks, some minutes", flush=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install"]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]  # in a log, 180 lines of package names hide what matters
    with_uv = [python, "-m", "uv", "pip", "install", *quiet, "--compile-bytecode", "--python", python, *what]
    if subprocess.run([*pip, "-q", "uv"], cwd=ROOT, env=environment).returncode == 0:
        if subprocess.run(with_uv, cwd=ROOT, env=environment).returncode == 0:
            return
        print("setup: uv could not install everything (see above); trying again with pip", flush=True)
    subprocess.run([*pip, *what], cwd=ROOT, env=environment, check=True)


def main():
    """Makes the environment and fills it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default=EXTRAS, help=f"what to install, by default {EXTRAS}")
    extras = parser.parse_args().extras
    unknown = set(extras.split(",")) - set(EXTRAS.split(","))
    if unknown:
        parser.error(f"expected extras among {EXTRAS}, separated by commas, came {', '.join(sorted(unknown))!r}")
    STAMP.unlink(missing_ok=True)
    try:
        install(make_venv(), extras)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"setup: {error.cmd[0]} ended with exit code {error.returncode}; its messages stand above. "
            "Is there a network, and enough space on the disk (10 GB)? The same command goes on from here."
        )
    STAMP.write_text(extras + "\n")
    print(f"Ready. {BIN.relative_to(ROOT) / 'tlhelpers'} doctor tells what is there.")


if __name__ == "__main__":
    main()
