"""Refuses quizzes of `tlhelpers/quizzes` in which a language, an answer or an explanation is missing."""

from importlib import resources
from pathlib import Path

import yaml

from tlcourse.errors import LessonError
from tlcourse.variants import LANGUAGES
from tlhelpers.errors import UnknownNameError


def quiz_file(lesson: str) -> Path:
    """Where the quizzes of a lesson stand."""
    return Path(str(resources.files("tlhelpers"))) / "quizzes" / f"{lesson}.yaml"


def check_quizzes(path: Path) -> None:
    """Looks whether all quizzes of a file are whole, in both languages.

    Raises:
        LessonError: The first that is not, with its place.
    """
    place = f"quizzes/{path.name}"
    try:
        quizzes = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise LessonError(
            f"{place}: expected YAML, came: {error}. Put quotation marks around texts with `: `."
        ) from None
    if not isinstance(quizzes, dict):
        raise LessonError(f"{place}: expected quizzes by name, such as `before:` and `after:`, came {quizzes!r}.")
    for key, quiz in quizzes.items():
        for number, question in enumerate(_list_of_mappings(f"{place}, {key}", quiz, "questions"), 1):
            _check_question(f"{place}, {key}, question {number}", question)


def _check_question(place: str, raw: dict) -> None:
    _only_keys(place, raw, ("question", "answers"))
    _check_text(place, raw, "question")
    answers = _list_of_mappings(place, raw.get("answers"), "answers")
    for number, answer in enumerate(answers, 1):
        where = f"{place}, answer {number}"
        _only_keys(where, answer, ("answer", "correct", "feedback"))
        if not isinstance(answer.get("correct"), bool):
            raise LessonError(f"{where}: expected correct: true or false, came {answer.get('correct')!r}.")
        for key in ("answer", "feedback"):
            _check_text(where, answer, key)
    right = sum(answer["correct"] for answer in answers)
    if not 0 < right < len(answers) <= 8:
        raise LessonError(
            f"{place}: expected right and wrong answers, 8 at most, came {right} right of {len(answers)}."
        )


def _list_of_mappings(place: str, value, what: str) -> list[dict]:
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        return value
    raise LessonError(f"{place}: expected a list of {what}, each with its own keys, came {value!r}.")


def _only_keys(place: str, raw: dict, known: tuple[str, ...]) -> None:
    for key in raw:
        if key not in known:
            raise LessonError(f"{place}: {UnknownNameError('key', str(key), known)}")


def _check_text(place: str, raw: dict, key: str) -> None:
    texts = raw.get(key)
    if isinstance(texts, dict):
        _only_keys(f"{place}, {key}", texts, LANGUAGES)  # an unquoted comma splits a text and makes a key of its rest
    for wanted in LANGUAGES:
        if not isinstance(texts, dict) or not isinstance(texts.get(wanted), str) or not texts[wanted].strip():
            raise LessonError(
                f"{place}: expected {key}: {{en: a text, es: a text}}, and {wanted!r} is missing or no text "
                f"(came {texts!r}). Write it beside the other language; quote numbers and words such as no."
            )
