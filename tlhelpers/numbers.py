"""Numbers as both languages of the course write them: 95.0 %, 1 226 914; and as learners type them."""

WORDS = {
    "en": "Write decimals with a point: {point}, not {comma}. Your answer was read as {point}.",
    "es": "Escriba los decimales con punto: {point}, no {comma}. Su respuesta se leyó como {point}.",
}


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction of 0 to 1 as a percentage, with a decimal point and a space: `percent(0.953)` is `95.3 %`."""
    return f"{100 * fraction:.{digits}f} %"


def thousands(count: int) -> str:
    """A whole number in groups of three, with thin spaces, as the SI writes it: `thousands(1226914)` is `1 226 914`."""
    return f"{count:,}".replace(",", "\u202f")


def read_answer(answer, language: str = "en") -> float | None:
    """The number that a learner typed, as a float; None for none yet (`...` or None).

    In Python `64,5` is a pair. It is read as 64.5, and the learner is told.

    Raises:
        TypeError: what came is no number.
    """
    if answer is None or answer is ...:
        return None
    if isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(part, int) for part in answer):
        point, comma = f"{answer[0]}.{answer[1]}", f"{answer[0]},{answer[1]}"
        print(WORDS[language].format(point=point, comma=comma))
        return float(point)
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        raise TypeError(f"expected a number such as 64.5, came {answer!r}")
    return float(answer)
