"""Quizzes: both languages or none, readable without scripts, small, and harmless to the lesson's random numbers."""

import random
import sys

import nbformat
import pytest
import yaml

from tlhelpers import quiz
from tlhelpers.errors import LessonError, UnknownNameError

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
def write(tmp_path):
    def to_file(*questions, **other):
        text = yaml.safe_dump({"before": list(questions), **other}, allow_unicode=True)
        (tmp_path / "01_tiny.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return to_file


def changed(path, value):
    """The question with one entry replaced, or taken out where the value is None."""
    question = yaml.safe_load(yaml.safe_dump(QUESTION))
    *way, last = path
    target = question
    for step in way:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return question


def test_a_quiz_is_read_in_the_language_and_knows_how_many_answers_are_right(write):
    several = changed(("answers",), [*ANSWERS, ANSWERS[0]])
    first, second = quiz.load_quiz("01_tiny/before", "es", write(QUESTION, several))
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
    ("path", "value", "says"),
    [
        (("question", "es"), None, ": expected question: .*'es' is missing"),
        (("question", "en"), "  ", "'en' is missing or no text"),
        (("answers", 1, "answer", "es"), None, ", answer 2: expected answer: .*'es' is missing"),
        (("answers", 0, "feedback"), None, "answer 1: expected feedback"),
        (("answers", 0, "feedback", "en"), False, "quote numbers and words such as no"),
        (("answers", 0, "correct"), "yes", "expected correct: true or false, came 'yes'"),
        (("answers", 0, "correct"), False, "came 0 right of 2"),
        (("answers", 1, "correct"), True, "came 2 right of 2"),
        (("answers",), [], "expected a list of answers"),
        (("anwsers",), [], "Unknown key 'anwsers'. Did you mean 'answers'"),
    ],
)
def test_an_incomplete_question_is_refused_in_either_language(write, path, value, says):
    folder = write(QUESTION, changed(path, value))
    for language in ("en", "es"):
        with pytest.raises(LessonError, match=f"^quizzes/01_tiny.yaml, before, question 2.*{says}"):
            quiz.load_quiz("01_tiny/before", language, folder)


@pytest.mark.parametrize(
    ("name", "language", "says"),
    [
        ("01_tyni/before", "en", "Unknown quiz file '01_tyni'. Did you mean '01_tiny'"),
        ("01_tiny/bfore", "en", "Did you mean 'before'"),
        ("01_tiny", "en", "Unknown quiz"),
        ("01_tiny/before", "fr", "Unknown language 'fr'"),
    ],
)
def test_an_unknown_quiz_or_language_is_named(write, name, language, says):
    with pytest.raises(UnknownNameError, match=says):
        quiz.show_quiz(name, language, write(QUESTION))


def test_broken_yaml_names_the_file(tmp_path):
    (tmp_path / "01_tiny.yaml").write_text("before: [", encoding="utf-8")
    with pytest.raises(LessonError, match=r"quizzes/01_tiny.yaml: expected YAML"):
        quiz.load_quiz("01_tiny/before", "en", tmp_path)


def test_without_jupyterquiz_the_questions_are_printed_and_the_mend_is_named(write, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterquiz", None)
    quiz.show_quiz("01_tiny/before", "es", write(QUESTION))
    assert capsys.readouterr().out.splitlines() == [
        "1. ¿Qué aprende una red congelada?",
        "   a) Nada",
        "   b) Las clases",
        "",
        "Para responder con un clic, instale jupyterquiz: pip install jupyterquiz",
    ]


def test_outside_a_notebook_the_questions_are_printed(write, capsys):
    quiz.show_quiz("01_tiny/before", "en", write(QUESTION))
    assert capsys.readouterr().out.startswith("1. What does a frozen backbone learn?\n   a) Nothing\n")


def test_in_a_kernel_the_quiz_is_small_works_offline_and_leaves_the_random_numbers_alone(write):
    from nbclient import NotebookClient

    folder = write(*[QUESTION] * 5)
    show = f"quiz.show_quiz('01_tiny/before', 'en', {str(folder)!r})"
    source = f"import random\nfrom tlhelpers import quiz\nrandom.seed(1)\n{show}\n{show}\nprint(random.random())"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    first, script, second, _, printed = notebook.cells[0].outputs
    random.seed(1)
    assert printed.text == f"{random.random()}\n"
    assert first.data["text/plain"].startswith("1. What does a frozen backbone learn?")
    assert first.data["text/html"] != second.data["text/html"]  # two quizzes in one page must not share an id
    assert "Right: it is <b>frozen</b>." in script.data["application/javascript"]
    assert len(nbformat.writes(notebook)) / 2 < 35_000  # one quiz of five questions, as stored
    assert "fetch(" not in script.data["application/javascript"]


def test_every_quiz_of_the_package_is_complete():
    from importlib import resources

    for file in (resources.files("tlhelpers") / "quizzes").iterdir():
        if file.name.endswith(".yaml"):
            stem = file.name.removesuffix(".yaml")
            for key in yaml.safe_load(file.read_text(encoding="utf-8")):
                assert quiz.load_quiz(f"{stem}/{key}", "es")
