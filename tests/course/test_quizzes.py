"""Quizzes as authors write them: both languages or none, and right and wrong answers."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tlcourse.cli import main
from tlcourse.errors import LessonError
from tlcourse.notebook_files import join_lines, read_notebook
from tlcourse.quizzes import check_quizzes, quiz_file
from tlhelpers.quiz import as_text, load_quiz

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*/*.ipynb"))

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
def test_an_incomplete_question_is_refused(tmp_path, path, value, says):
    file = tmp_path / "01_tiny.yaml"
    file.write_text(yaml.safe_dump({"before": [QUESTION, changed(path, value)]}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(LessonError, match=f"^quizzes/01_tiny.yaml, before, question 2.*{says}"):
        check_quizzes(file)


def test_broken_yaml_names_the_file(tmp_path):
    (tmp_path / "01_tiny.yaml").write_text("before: [", encoding="utf-8")
    with pytest.raises(LessonError, match=r"quizzes/01_tiny.yaml: expected YAML"):
        check_quizzes(tmp_path / "01_tiny.yaml")


def test_every_quiz_of_the_package_is_complete():
    files = sorted(quiz_file("x").parent.glob("*.yaml"))
    assert len(files) > 10
    for file in files:
        check_quizzes(file)


def test_a_build_refuses_a_lesson_whose_quiz_is_not_whole(monkeypatch, tmp_path, capsys):
    (tmp_path / "broken.yaml").write_text("before: []", encoding="utf-8")
    monkeypatch.setattr("tlcourse.commands.build.quiz_file", lambda lesson: tmp_path / "broken.yaml")
    assert main(["build", "--check", "00"]) == 1
    assert "expected a list of questions" in capsys.readouterr().err


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_quiz_that_is_kept_in_a_notebook_asks_and_says_what_its_file_does(path):
    for cell in read_notebook(path)["cells"]:
        shown = re.search(r'^show_quiz\("([^"]+)"', join_lines(cell["source"]), flags=re.MULTILINE)
        if shown and cell["outputs"]:
            questions = load_quiz(shown[1], path.parent.name)
            box, script = (output["data"] for output in cell["outputs"])
            assert join_lines(box["text/plain"]).startswith(as_text(questions))
            for answer in (answer for question in questions for answer in question["answers"]):
                assert json.dumps(answer["feedback"])[1:-1] in join_lines(script["application/javascript"])
