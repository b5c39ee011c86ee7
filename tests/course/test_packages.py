"""Three packages for three kinds of users: what may import what, and what the learners' wheel holds."""

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_NOT = {"tlhelpers": {"tlcourse", "tlgrade"}, "tlcourse": {"tlgrade"}, "tlgrade": {"tlcourse"}}
# What a reader takes in within an hour would be 7,000. The rest is for what people really bring: folders as they lie on
# disks, formats of phones, files cut off by a full disk, downloads behind login pages. Who adds lines takes others out.
MOST_LINES, MOST_FILES = 7_800, 60


def imported_by(path: Path) -> set[str]:
    """The top-level names of all imports in a file, wherever in it they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", MAY_NOT)
def test_imports_run_one_way(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert len(files) > 10
    assert [str(path) for path in files if imported_by(path) & MAY_NOT[package]] == []


def test_tlhelpers_stays_small():
    files = sorted((ROOT / "tlhelpers").rglob("*.py"))
    assert len(files) <= MOST_FILES
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= MOST_LINES


def test_the_learners_wheel_holds_tlhelpers_alone(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "tlhelpers", source / "tlhelpers", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tlcourse", "tlgrade"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("tlhelpers-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"tlhelpers"}
    assert not [name for name in names if "cases" in name or "scoring" in name]
    assert "tlhelpers/weights/mini_resnet.safetensors" in names
