"""Answers to the exercises of lesson 06: right or not, with a hint. They decide no grade."""

from collections.abc import Mapping

from tlhelpers.metrics import wilson_interval

READINGS = ("under", "over", "good")


def check_test_size(answer: object, *, accuracy: float, half_width: float, language: str = "en") -> bool:
    """Is this the smallest test set (to 5 %) whose Wilson interval reaches no further than wanted? Prints a hint.

    Args:
        answer: number of images.
        accuracy: expected, a fraction.
        half_width: half the interval's width, a fraction.
        language: of the hint.
    """
    if isinstance(answer, bool) or not isinstance(answer, int) or answer < 1:
        return _say(False, "A whole number of images is expected, such as 100.",
                    "Se espera un número entero de imágenes, por ejemplo 100.", language)  # fmt: skip

    def half(n: int) -> float:
        found = wilson_interval(accuracy, n)
        return (found.high - found.low) / 2

    reached = f"± {100 * half(answer):.2f}"
    if half(answer) > half_width:
        return _say(False, f"With {answer} images the interval is {reached} points: still too wide.",
                    f"Con {answer} imágenes el intervalo es de {reached} puntos: aún demasiado ancho.",
                    language)  # fmt: skip
    if half(max(1, int(answer / 1.05))) <= half_width:
        return _say(False, f"{answer} images are enough ({reached} points), but fewer would do.",
                    f"Con {answer} imágenes basta ({reached} puntos), pero bastaría con menos.", language)  # fmt: skip
    return _say(True, f"{answer} images: {reached} points.", f"{answer} imágenes: {reached} puntos.", language)


def check_readings(answer: object, truth: Mapping[str, str], language: str = "en") -> bool:
    """Is each run read rightly, as one of `READINGS`? Prints a hint that does not give the answer away.

    Args:
        answer: by the run's name, such as `{"A": "good"}`.
        truth: the same, as it was made.
        language: of the hint.
    """
    if not isinstance(answer, Mapping) or set(answer) != set(truth) or not set(answer.values()) <= set(READINGS):
        return _say(False, f"A dictionary is expected, with {', '.join(truth)} as keys and one of {READINGS} for each.",
                    f"Se espera un diccionario con las claves {', '.join(truth)} y, para cada una, una de {READINGS}.",
                    language)  # fmt: skip
    wrong = [name for name in truth if answer[name] != truth[name]]
    if not wrong:
        return _say(True, "All three are right.", "Las tres son correctas.", language)
    return _say(False, f"{len(wrong)} of {len(truth)} are not right. Is the training accuracy high? If so, is the "
                "validation accuracy near it?",
                f"{len(wrong)} de {len(truth)} no son correctas. ¿Es alta la exactitud de entrenamiento? Y si lo es, "
                "¿está cerca la de validación?", language)  # fmt: skip


def _say(right: bool, en: str, es: str, language: str) -> bool:
    print("✔" if right else "✘", {"en": en, "es": es}[language])
    return right
