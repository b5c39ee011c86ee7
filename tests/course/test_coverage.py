"""The page of coverage gives each heading of the source texts a place; its links and those of other pages hold.

The texts themselves lie outside of the repository, so docs/coverage.md lists their headings.
"""

import functools
import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "docs" / name
    for name in ("coverage.md", "applications.md", "aplicaciones.md", "threat_model.md", "modelo_de_amenazas.md")
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
TEXTS = 5


@functools.cache
def read_headings(path: Path) -> list[str]:
    """The headings of a page, or of a notebook's cells, without those in blocks of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)


def slug(heading: str) -> str:
    """What GitHub makes of a heading: small letters, no punctuation, hyphens for spaces."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


@pytest.fixture
def table():
    """The script that writes the table of breeds."""
    spec = importlib.util.spec_from_file_location("breeds_table", ROOT / "scripts/breeds_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts_of(page: str) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Of each source text the headings that are listed, and the rows of its tables."""
    parts = {}
    for part in re.split(r"^## \d\. ", page, flags=re.MULTILINE)[1:]:
        listed = re.search(r"^Headings: (.+)$", part, re.MULTILINE)[1].split(" · ")
        lines = re.findall(r"^\| (?!-|heading \|).+", part, re.MULTILINE)
        parts[part.split("\n")[0]] = listed, [line.strip("| ").split(" | ") for line in lines]
    return parts


def find_broken(path: Path, text: str) -> list[str]:
    """Links of a page that lead to no file or to no heading."""
    broken = []
    for link in LINK.findall(text):
        file, _, fragment = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if "://" in link:
            continue
        if not target.exists():
            broken.append(f"{link}: no such file")
        elif fragment and fragment not in map(slug, read_headings(target)):
            broken.append(f"{link}: no such heading")
    return broken


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_links_of_a_page_lead_to_files_and_headings(path):
    assert find_broken(path, path.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found():
    text = "[a](none.md) [b](coverage.md#no-such) [c](coverage.md) [d](https://example.org/x#y)"
    assert find_broken(PAGES[0], text) == ["none.md: no such file", "coverage.md#no-such: no such heading"]


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        ("7. Freeze, and verify it", "7-freeze-and-verify-it"),
        ("¿Cambia el dominio o cambia la tarea?", "cambia-el-dominio-o-cambia-la-tarea"),
        ("Train on `fit`: [a link](x.md)", "train-on-fit-a-link"),
    ],
)
def test_slugs_are_those_of_github(heading, wanted):
    assert slug(heading) == wanted


def test_every_heading_of_the_texts_has_a_row_and_every_row_a_place():
    parts = parts_of(PAGES[0].read_text(encoding="utf-8"))
    assert len(parts) == TEXTS
    for name, (listed, rows) in parts.items():
        assert {row[0] for row in rows} == set(listed), f"{name}: headings listed, and headings in the table"
        for row in rows:
            assert len(row) == 3, f"{name}: {row}"
            assert row[1], f"{name}: {row} names no topic"
            assert LINK.search(row[2]), f"{name}: {row} has no place"
            assert "](" not in LINK.sub("", row[2]), f"{name}: {row}"


def test_every_lesson_is_the_place_of_something():
    page = PAGES[0].read_text(encoding="utf-8")
    lessons = {path.stem for path in (ROOT / "notebooks/src").glob("*.py")}
    assert {name for name in lessons if f"notebooks/en/{name}_" not in page} == set()


@pytest.mark.parametrize("name", ["applications.md", "aplicaciones.md"])
def test_the_table_of_breeds_is_what_the_classes_give(table, name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    language = {"applications.md": "en", "aplicaciones.md": "es"}[name]
    assert table.replace_block(text, "breeds", table.make_breeds(language)) == text
    groups = table.group_breeds()
    breeds = [breed for group in groups for species in ("dog", "cat") for breed in group[species]]
    assert len(breeds) == len(set(breeds)) == 37
    assert [sum(len(group[species]) for group in groups) for species in ("dog", "cat")] == [25, 12]


def test_a_number_that_is_no_breed_is_refused(table, monkeypatch):
    monkeypatch.setitem(table.SAME, "Pug", "n01440764")  # a tench
    with pytest.raises(ValueError, match="Pug: expected a class of ImageNet for a cat or a dog, got n01440764"):
        table.group_breeds()
