"""The page of the toolbox in both languages: from the sources, complete, and refused where a sentence is missing."""

import re
import shutil
from pathlib import Path

import pytest

from tlcourse import toolbox_text
from tlcourse.errors import LessonError
from tlcourse.toolbox_page import check_pages, make_pages, write_pages

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
SENTENCES = """training.step: Un paso.
training.fit: Entrena unos cuantos pasos.
metrics.share: Cuántos de todos.
heads.Head: La última capa.
"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A course whose one lesson shows five tools, one of them a constant."""
    monkeypatch.setattr(toolbox_text, "PACKAGES", GOLDEN / "toolbox")
    folder = tmp_path / "notebooks"
    (folder / "src").mkdir(parents=True)
    for name in ("02_small.py", "02_small.yaml"):
        shutil.copy(GOLDEN / name, folder / "src")
    (folder / "src/toolbox.yaml").write_text(SENTENCES, encoding="utf-8")
    return folder


def test_each_tool_has_its_sentence_signatures_lesson_and_source(notebooks):
    english, spanish = write_pages(notebooks)
    assert (english.name, spanish.name) == ("toolbox.md", "caja_de_herramientas.md")
    text = english.read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)", text, re.MULTILINE) == ["training.step", "training.fit", "metrics.share"]
    assert "from tlhelpers.pytorch.training import fit" in text[: text.index("## ")]
    section = text[text.index("### training.fit") : text.index("### metrics")]
    assert "\nTrains for some steps.\n" in section
    assert "```python\ndef fit(loss: float, *, steps: int = STEPS) -> list[float]\n```" in section
    assert "```python\ndef fit(loss: float, steps: int) -> list[float]\n```" in section
    assert "[02 A small lesson in TensorFlow](../notebooks/en/02_small_tensorflow.ipynb)" in section
    assert "[source](../tlhelpers/tensorflow/training.py)" in section
    assert section.count("**PyTorch**") == section.count("**TensorFlow**") == 1
    assert "**Both frameworks**" in text[text.index("### metrics.share") :]
    other = spanish.read_text(encoding="utf-8")
    assert "\nEntrena unos cuantos pasos.\n" in other
    assert "../notebooks/es/02_small_pytorch.ipynb" in other


def test_pages_are_stable_and_checked(notebooks):
    paths = write_pages(notebooks)
    assert check_pages(notebooks) == []
    paths[1].write_text("old", encoding="utf-8")
    assert check_pages(notebooks) == [f"{paths[1]}: is not what the sources give"]


def test_a_class_is_shown_with_how_it_is_made_and_what_lessons_fold_comes_last(notebooks):
    source = notebooks / "src/01_head.py"
    marks = 'framework="pytorch" shows="tlhelpers.pytorch.heads.Head" tags=["folded"]'
    source.write_text(f"# %% {marks}\n", encoding="utf-8")
    text = next(iter(make_pages(notebooks).values()))
    assert text.index("## Inside of the networks") < text.index("### heads.Head") > text.index("### metrics.share")
    assert "```python\nclass Head\n    def __init__(self, rate: float)\n```" in text


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("metrics.share: Cuántos de todos.\n", "", "expected a Spanish sentence for metrics.share"),
        ("heads.Head", "heads.Haed", "heads.Haed is no tool: expected a function, class or constant"),
        ("La última capa.", "3", "expected a Spanish sentence for heads.Head, came 3"),
    ],
)
def test_a_sentence_that_is_missing_or_of_nothing_is_refused(notebooks, before, after, says):
    (notebooks / "src/toolbox.yaml").write_text(SENTENCES.replace(before, after), encoding="utf-8")
    with pytest.raises(LessonError, match=r"toolbox\.yaml: ") as caught:
        make_pages(notebooks)
    assert says in str(caught.value)


def test_a_course_that_shows_nothing_has_no_page(notebooks):
    (notebooks / "src/02_small.py").unlink()
    assert write_pages(notebooks) == []


def test_the_links_of_the_courses_own_pages_lead_somewhere():
    for path, text in make_pages(ROOT / "notebooks").items():
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
