"""Quizzes: both languages or none, readable without scripts, small, and harmless to the lesson's random numbers."""

import random
import sys

import nbformat
import pytest
import yaml

from tlhelpers import quiz
from tlhelpers.errors import UnknownNameError

ANSWERS = [
    {
        "answer": {"en": "Nothing", "es": "Nada"},
        "correct": True,
        "feedback": {"en": "Right: it is <b>frozen</b>.", "es": "Sí."},
    },
    {"answer": {"en": "The classes", "es": "Las clases"}, "correct": False, "feedback": {"en": "No.", "es": "No."}},
]
QUESTION = {
    "question": {"en": "What does a frozen backbone learn?", "es": "¿Qué aprende una red congelada?"},
    "answers": ANSWERS,
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setattr(quiz, "FOLDER", tmp_path)

    def to_file(*questions):
        text = yaml.safe_dump({"before": list(questions)}, allow_unicode=True)
        (tmp_path / "01_tiny.yaml").write_text(text, encoding="utf-8")

    return to_file


def test_a_quiz_is_read_in_the_language_and_knows_how_many_answers_are_right(write):
    write(QUESTION, {**QUESTION, "answers": [*ANSWERS, ANSWERS[0]]})
    first, second = quiz.load_quiz("01_tiny/before", "es")
    assert first == {
        "question": "¿Qué aprende una red congelada?",
        "type": "multiple_choice",
        "answers": [
            {"answer": "Nada", "feedback": "Sí.", "correct": True},
            {"answer": "Las clases", "feedback": "No.", "correct": False},
        ],
    }
    assert second["type"] == "many_choice"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("01_tyni/before", "Unknown quiz file '01_tyni'. Did you mean '01_tiny'"),
        ("01_tiny/bfore", "Did you mean 'before'"),
        ("01_tiny", "Unknown quiz"),
    ],
)
def test_an_unknown_quiz_is_named(write, name, says):
    write(QUESTION)
    with pytest.raises(UnknownNameError, match=says):
        quiz.show_quiz(name)


def test_without_jupyterquiz_the_questions_are_printed_and_the_mend_is_named(write, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterquiz", None)
    write(QUESTION)
    quiz.show_quiz("01_tiny/before", "es")
    assert capsys.readouterr().out.splitlines() == [
        "1. ¿Qué aprende una red congelada?",
        "   a) Nada",
        "   b) Las clases",
        "",
        "Para responder con un clic, instale jupyterquiz: pip install jupyterquiz",
    ]


def test_outside_a_notebook_the_questions_are_printed(write, capsys):
    write(QUESTION)
    quiz.show_quiz("01_tiny/before", "en")
    assert capsys.readouterr().out.startswith("1. What does a frozen backbone learn?\n   a) Nothing\n")


def test_in_a_kernel_the_quiz_is_small_works_offline_and_leaves_the_random_numbers_alone(write):
    from nbclient import NotebookClient

    write(*[QUESTION] * 5)
    show = "quiz.show_quiz('01_tiny/before')\n"
    source = f"quiz.FOLDER = Path({str(quiz.FOLDER)!r})\nrandom.seed(1)\n{show}{show}print(random.random())"
    source = f"import random\nfrom pathlib import Path\nfrom tlhelpers import quiz\n{source}"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    first, script, second, _, printed = notebook.cells[0].outputs
    random.seed(1)
    assert printed.text == f"{random.random()}\n"
    assert first.data["text/plain"].startswith("1. What does a frozen backbone learn?")
    assert first.data["text/html"] != second.data["text/html"]  # two quizzes in one page must not share an id
    assert first.data["text/html"].count("<div") == first.data["text/html"].count("</div")
    again = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(again, timeout=60, kernel_name="python3").execute()
    assert again.cells[0].outputs == notebook.cells[0].outputs  # another run changes nothing
    assert "Right: it is <b>frozen</b>." in script.data["application/javascript"]
    assert len(nbformat.writes(notebook)) / 2 < 35_000  # one quiz of five questions, as stored
    assert "fetch(" not in script.data["application/javascript"]
