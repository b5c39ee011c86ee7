"""The two glossaries: each term has its partner, and every link of a lesson or of the glossary arrives."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {"en": "glossary.md", "es": "glosario.md"}


def read_terms(language: str) -> dict[str, str]:
    """By anchor, as Markdown viewers make them from headings, what stands below it."""
    text = (ROOT / "docs" / FILES[language]).read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)[1:]
    return {make_anchor(title): body for title, body in zip(parts[::2], parts[1::2], strict=True)}


def make_anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


TERMS = {language: read_terms(language) for language in FILES}


@pytest.mark.parametrize(("language", "other"), [("en", "es"), ("es", "en")])
def test_each_term_leads_to_its_partner_and_back(language, other):
    for anchor, body in TERMS[language].items():
        (partner,) = re.findall(rf"\({FILES[other]}#([^)]+)\)", body)
        assert f"({FILES[language]}#{anchor})" in TERMS[other][partner]


@pytest.mark.parametrize("language", FILES)
def test_each_link_inside_the_glossary_arrives(language):
    for body in TERMS[language].values():
        assert set(re.findall(r"\]\(#([^)]+)\)", body)) <= set(TERMS[language])


@pytest.mark.parametrize("lesson", sorted((ROOT / "notebooks/src").glob("*.py")), ids=lambda path: path.stem)
def test_each_link_of_a_lesson_arrives_in_its_language(lesson):
    for cell in re.split(r"^# %%", lesson.read_text(encoding="utf-8"), flags=re.MULTILINE):
        for language, file in FILES.items():
            linked = re.findall(rf"\.\./\.\./docs/{file}#([^)]+)\)", cell)
            assert set(linked) <= set(TERMS[language])
            assert not linked or f'lang="{language}"' in cell.partition("\n")[0]
