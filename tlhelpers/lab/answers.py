"""How checks call, compare and speak: in the learner's language, with an example, and without a long traceback."""

from collections.abc import Callable, Sequence

import numpy as np

from tlhelpers.errors import TlhelpersError, said
from tlhelpers.lab.alone import as_json, cell_of, equal_json, run_alone
from tlhelpers.lab.data import LabData

ROUNDING = 1e-3  # how far sums of probabilities may be from 1, and fractions from the right answer


class ShortError(TlhelpersError):
    """An error for learners: a notebook shows its message and not the way to it."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class CheckFailedError(ShortError):
    """A check found something to mend."""


def val_accuracy(data: LabData, probabilities: np.ndarray, labels: np.ndarray | None = None, classes: int = 0) -> float:
    """Accuracy of probabilities on the validation images, as a fraction; of other `labels` and `classes` where given.

    Raises:
        CheckFailedError: They are no probabilities of these images.
    """
    labels = data.val.labels if labels is None else labels
    check_probabilities(probabilities, len(labels), classes or data.num_classes)
    return float(np.mean(np.argmax(probabilities, 1) == labels))


def check_probabilities(probabilities: np.ndarray, n: int, classes: int) -> None:
    """Refuses what is not `n` rows of probabilities of `classes` classes.

    Raises:
        CheckFailedError: Another shape, NaN, or rows that do not sum to 1.
    """
    values = np.asarray(probabilities)
    if values.shape != (n, classes):
        fail(
            f"Expected probabilities of shape ({n}, {classes}), a row an image and a column a class; came "
            f"{values.shape}.",
            f"Se esperaban probabilidades de forma ({n}, {classes}), una fila por imagen y una columna por clase; "
            f"llegaron de forma {values.shape}.",
        )
    if not np.isfinite(values).all():
        fail(
            "Some probabilities are not a number (NaN). Did the training diverge? Try a lower learning rate.",
            "Algunas probabilidades no son números (NaN). ¿Divergió el entrenamiento? Pruebe con una tasa de "
            "aprendizaje menor.",
        )
    if values.min() < -ROUNDING or np.abs(values.sum(1) - 1).max() > ROUNDING:
        fail(
            "The rows do not sum to 1. These may be logits, the scores before the softmax: use predict_proba.",
            "Las filas no suman 1. Quizá sean logits, las puntuaciones antes de la softmax: use predict_proba.",
        )


def is_chance(data: LabData, value: float) -> bool:
    """Within two standard deviations of what guessing gives on so many validation images."""
    chance = 1 / data.num_classes
    return value <= chance + 2 * np.sqrt(chance * (1 - chance) / len(data.val))


def call(function: Callable, *arguments) -> object:
    """What a learner's function returns, run as a grader runs it (see `alone`) and as JSON has it.

    Raises:
        CheckFailedError: It returns nothing, or uses what a grader does not give it.
    """
    name = getattr(function, "__name__", "the function")
    try:
        came = _alone(function)(*arguments)
    except NameError as error:
        fail(
            f"NameError: {error.name}. The grader runs this cell with the imports, functions and constants of your "
            f"notebook, and {error.name} is none of these. Compute it inside the function, or make it an argument.",
            f"NameError: {error.name}. Al calificar, esta celda se ejecuta con lo que su cuaderno importa, define como "
            f"función o fija como constante, y {error.name} no es nada de eso. Calcúlelo dentro de la función o páselo "
            "como argumento.",
        )
    if came is None:
        fail(
            f"{name} gave nothing back (None). Does it end with return?",
            f"{name} no ha devuelto nada (None). ¿Termina con return?",
        )
    try:
        return as_json(came)
    except (TypeError, ValueError, RecursionError):  # no answer that a grader can read, so none that is right
        return came


def _alone(function: Callable) -> Callable:
    """The function as its cell gives it alone; itself, where there is no notebook with such a cell."""
    try:
        sources = get_ipython().user_ns["In"]
    except (NameError, KeyError):
        return function
    name = getattr(function, "__name__", "")
    place = cell_of(sources, name)
    if place is None:
        return function
    others = [source for number, source in enumerate(sources) if number != place]
    return run_alone([*others, sources[place]], len(others))[name]  # what was run since then stands above it now


def ask(function: Callable, *arguments, wanted: object, mistakes: Sequence[tuple[Callable, str, str]] = ()) -> None:
    """Calls a learner's function, and compares its answer with the right one as a grader does.

    Args:
        function: The learner's.
        arguments: What it is called with; a message shows the call as a learner would write it.
        wanted: The right answer.
        mistakes: Well-known ones: whether an answer is one, and what to say of it, in English and in Spanish.

    Raises:
        CheckFailedError: The answer is another.
    """
    came = call(function, *arguments)
    shown = f"{getattr(function, '__name__', '')}({', '.join(map(short, arguments))})"
    for happened, en, es in mistakes:
        if happened(came):
            fail(f"{shown} gave {short(came)}. {en}.", f"{shown} dio {short(came)}. {es}.")
    if not equal_json(came, wanted):
        en = f"{shown} should give {short(wanted)}, and gave {short(came)}."
        fail(en, f"{shown} debería dar {short(wanted)} y dio {short(came)}.")


def short(value: object) -> str:
    """A value as a message shows it, at most a line long."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) < 100 else text[:100] + "…"


def say(en: str, es: str) -> None:
    """Prints that a check has passed."""
    print("✓", said(en, es))


def fail(en: str, es: str) -> None:
    """Ends a check.

    Raises:
        CheckFailedError: Always, with the text in the learner's language.
    """
    raise CheckFailedError("✗ " + said(en, es))
