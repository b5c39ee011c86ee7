"""Results on disk, under the hash of all that they depend on. A result is there whole or not at all."""

import functools
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from tlgrade.artefacts import Refusal
from tlgrade.grade_one import digest
from tlgrade.mounts import PACKAGE
from tlgrade.settings import BoxSettings
from tlgrade.submissions import to_text
from tlhelpers.paths import atomic_path

_NO_MATTER = ("batch.py", "feedback.py", "gradebooks.py", "class_report.py", "reasons.py")  # to a score


def result_key(content: bytes | Refusal, lab_digest: str, settings: BoxSettings) -> str:
    """The key of a submission's result: hash of submission, lab, environment, grader and limits.

    Whose submission it is does not matter: the same notebook has the same result.
    """
    submission = content if isinstance(content, bytes) else f"{content.code} {content.values}"
    told = {key: value for key, value in settings.to_json().items() if key not in ("lab_data", "fork", "secret")}
    made_with = json.dumps(told, sort_keys=True)
    weights = weights_digest(settings.weights) if settings.weights else ""
    return digest(submission, lab_digest, environment_digest(), grader_digest(), made_with, weights)


@functools.cache
def weights_digest(folder: str) -> str:
    """Hash of what is in a folder of weights: others of the same network have the same size."""
    files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return digest(*(part for path in files for part in (path.name, path.read_bytes())))


@functools.cache
def environment_digest() -> str:
    """Hash of the interpreter, of every installed package with its version, and of the code that learners import."""
    packages = sorted({f"{found.metadata['Name']} {found.version}" for found in importlib.metadata.distributions()})
    # The package may be worked on where it lies, and what learners import from it decides what they reach.
    own = (path.read_bytes() for path in sorted(PACKAGE.rglob("*")) if path.suffix in (".py", ".yaml", ".safetensors"))
    return digest(platform.python_version(), platform.machine(), *packages, *own)


@functools.cache
def grader_digest() -> str:
    """Hash of the code that grades."""
    here = Path(__file__).parent
    own = [path for path in sorted(here.rglob("*.py")) if path.name not in _NO_MATTER]
    return digest(*(path.read_bytes() for path in own))


class ResultStore:
    """Results in a folder, one JSON file each."""

    def __init__(self, folder: Path):
        self._folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where a result lies; in sub-folders, since some file systems are slow with 100,000 files in one."""
        return self._folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> dict | None:
        """A result; None where there is none that can be read."""
        try:
            return json.loads(self.path(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, key: str, result: dict) -> None:
        """Writes a result beside its place, brings it to the disk, and renames it."""
        path = self.path(key)
        with atomic_path(path) as temporary:
            temporary.write_text(to_text(result), encoding="utf-8")
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
