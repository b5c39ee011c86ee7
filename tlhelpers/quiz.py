"""Quizzes in both languages, shown with jupyterquiz, or as plain text where it is not installed.

A file `tlhelpers/quizzes/NN_topic.yaml` holds the quizzes of one lesson, each a list of questions. Every text stands in
both languages side by side, every answer says whether it is right and what there is to learn from it:

    before:
      - question: {en: What does a frozen backbone learn?, es: ¿Qué aprende una red base congelada?}
        answers:
          - answer: {en: Nothing, es: Nada}
            correct: true
            feedback: {en: Its weights stay as they are., es: Sus pesos quedan como están.}
          - answer: {en: The new classes, es: Las clases nuevas}
            correct: false
            feedback: {en: The head learns them., es: Las aprende la cabeza.}

A question with one right answer lets the learner pick one; with several, it asks for all of them. `tlcourse build`
refuses a file in which something is missing.
"""

import html
import itertools
import random
import re
from importlib import resources
from pathlib import Path

import yaml

from tlhelpers.errors import UnknownNameError, said

FOLDER = Path(__file__).with_name("quizzes")
WORDS = {
    "en": {
        "install": "To answer by clicking, install jupyterquiz: pip install jupyterquiz",
        "trust": "Run this cell to answer by clicking.",
    },
    "es": {
        "install": "Para responder con un clic, instale jupyterquiz: pip install jupyterquiz",
        "trust": "Ejecute esta celda para responder con un clic.",
    },
}

_SHOWN = itertools.count()  # quizzes in this kernel: one that is shown twice has two ids
# jupyterquiz's own orange and its green on purple are hard to read; these keep 4.5:1 or more.
COLOURS = {
    "--jq-multiple-choice-bg": "#22344f",
    "--jq-many-choice-bg": "#1f4a4a",
    "--jq-mc-button-bg": "#fafafa",
    "--jq-correct-color": "#0b6b1d",
    "--jq-incorrect-color": "#a81414",
    "--jq-text-color": "#ffffff",
}
MORE_STYLE = """
#{id} .Quiz, #{id} .Feedback {{ font-size: 1.1em; line-height: 1.35; }}
#{id} .MCButton {{ font-size: 1em; }}
#{id} .Feedback.correct, #{id} .Feedback.incorrect {{
  background: #22344f; border-radius: .4em; padding: .4em .8em;  /* the page behind it may be light or dark */
}}
#{id} .Feedback.correct {{ color: #9bf0aa; }}
#{id} .Feedback.incorrect {{ color: #ffc2c2; }}
"""
UNUSED_SCRIPTS = ("numeric.js", "string.js")  # 16 of 37 kB, for kinds of question that these files cannot hold


def show_quiz(name: str, language: str = "en") -> None:
    """Shows a quiz: clickable in a notebook, as plain text elsewhere or without jupyterquiz.

    Args:
        name: `FILE/KEY`, as in `01_cats_vs_dogs/before`.
        language: `en` or `es`.

    Raises:
        UnknownNameError: No such quiz.
    """
    questions = load_quiz(name, language)
    plain = as_text(questions)
    try:
        import jupyterquiz
    except ImportError:
        print(f"{plain}\n\n{WORDS[language]['install']}")
        return
    _display(jupyterquiz, questions, f"{plain}\n\n{WORDS[language]['trust']}")


def load_quiz(name: str, language: str) -> list[dict]:
    """Reads a quiz in one language, in the form that jupyterquiz takes.

    Raises:
        UnknownNameError: No such quiz.
    """
    file, _, key = name.partition("/")
    known = {path.stem: path for path in FOLDER.glob("*.yaml")}
    if file not in known:
        raise UnknownNameError(said("quiz file", "archivo de cuestionarios"), file, known)
    quizzes = yaml.safe_load(known[file].read_text(encoding="utf-8"))
    if key not in quizzes:
        raise UnknownNameError(said("quiz", "cuestionario") + f" ({file}.yaml)", key, quizzes)
    return [_in_language(question, language) for question in quizzes[key]]


def _in_language(question: dict, language: str) -> dict:
    answers = [
        {key: answer[key][language].strip() for key in ("answer", "feedback")} | {"correct": answer["correct"]}
        for answer in question["answers"]
    ]
    kind = "multiple_choice" if sum(answer["correct"] for answer in answers) == 1 else "many_choice"
    return {"question": question["question"][language].strip(), "type": kind, "answers": answers}


def as_text(questions: list[dict]) -> str:
    """The questions and their answers as plain text, without saying which answers are right."""
    lines = []
    for number, question in enumerate(questions, 1):
        lines.append(f"{number}. {question['question']}")
        lines += [
            f"   {letter}) {answer['answer']}" for letter, answer in zip("abcdefgh", question["answers"], strict=False)
        ]
    return "\n".join(lines)


def _display(jupyterquiz, questions: list[dict], plain: str) -> None:
    """Shows the quiz through jupyterquiz, with the plain text for viewers that run no scripts (GitHub, untrusted)."""
    from IPython.display import display
    from IPython.utils.capture import capture_output

    state = random.getstate()  # jupyterquiz draws its element id from the global generator, which the lesson seeds
    random.seed(f"{next(_SHOWN)} {plain}")  # the same in each whole run, so that no output changes for nothing
    try:
        with capture_output() as captured:
            jupyterquiz.display_quiz(questions, shuffle_answers=False, max_width=800, colors=COLOURS)
    finally:
        random.setstate(state)
    if len(captured.outputs) != 2:  # not in a notebook: nothing to click on
        print(plain)
        return
    box, script = (output.data for output in captured.outputs)
    name = re.search(r'id="(\w+)"', box["text/html"])[1]
    shown = f'<pre id="{name}-plain">{html.escape(plain)}</pre>'
    style = f"<style>{MORE_STYLE.format(id=name)}</style>"
    remove = f'(function tidy() {{ const plain = document.getElementById("{name}-plain"); '
    remove += "if (plain) { plain.remove(); } else { setTimeout(tidy, 200); } })();\n"
    closed = f"{shown}{style}{box['text/html']}</div>"  # which jupyterquiz leaves open, for all that follows
    display({"text/html": closed, "text/plain": plain}, raw=True)
    display({"application/javascript": remove + _shorten(script["application/javascript"])}, raw=True)


def _shorten(script: str) -> str:
    """jupyterquiz's script without the kinds of question that are not used, comment lines and indentation."""
    folder = resources.files("jupyterquiz") / "js"
    for name in UNUSED_SCRIPTS:
        script = script.replace((folder / name).read_text(encoding="utf-8"), "")
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
