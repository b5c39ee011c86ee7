"""The wheel that learners install: what is in it, and that it works far from the clone."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, without a network."""
    setuptools = pytest.importorskip("setuptools", reason="builds the wheel")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("older setuptools do not know licences as pyproject.toml names them")
    clone = tmp_path_factory.mktemp("clone")
    for name in ("tlhelpers", "tlgrade", "tlcourse"):  # the other two, to see that they stay out
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    program = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", program, str(out)], cwd=clone, check=True, capture_output=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_what_notebooks_import_and_nothing_of_authors_and_graders(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tlhelpers"}
    for needed in ("py.typed", "weights/mini_resnet.safetensors", "weights/mini_resnet.md", "plots/class_words.yaml"):
        assert f"tlhelpers/{needed}" in names
    quizzes = {Path(name).stem for name in names if name.startswith("tlhelpers/quizzes/")}
    assert quizzes == {path.stem for path in (ROOT / "notebooks" / "src").glob("[0-9]*.py")}


def test_the_wheel_holds_no_right_answer_of_the_lab(wheel):
    """What hidden cases are compared with, and the solved lab, are the grader's."""
    text = b"".join(zipfile.ZipFile(wheel).read(name) for name in zipfile.ZipFile(wheel).namelist() if ".py" in name)
    assert b"BEGIN SOLUTION" not in text
    assert not re.search(rb"^\s*(import|from) (tlgrade|tlcourse)", text, re.MULTILINE)
    functions = set(
        re.findall(r"^def (_\w+)", (ROOT / "tlgrade" / "cases.py").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(functions) >= 5
    assert not {name for name in functions if re.search(rf"def {name}\b".encode(), text)}


def test_the_page_of_the_index_has_no_link_that_leads_nowhere(wheel):
    metadata = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode("utf-8")
    assert "](" not in text
    assert "Tiny ImageNet" in text


def test_the_wheel_alone_shows_a_quiz_and_draws_pets(wheel, tmp_path):
    program = (
        "import tlhelpers, sys; assert '.whl' in tlhelpers.__file__ or 'unpacked' in tlhelpers.__file__\n"
        "from tlhelpers.drawn_pets import draw_pets; from tlhelpers.quiz import load_quiz\n"
        "print(draw_pets(2, seed=0, size=32).images.shape, len(load_quiz('00_start_here/after', 'es')))"
    )
    zipfile.ZipFile(wheel).extractall(tmp_path / "unpacked")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "unpacked")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(2, 32, 32, 3)")
