"""What a lesson asserts, it measures: its `claim` checks a number, `record_result` writes one down for the tables.

Both leave a record in the notebook, as an output of a MIME type of our own, that the tools
of the course read back from executed notebooks.
"""

import html
import math
import numbers
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tlhelpers.errors import LANGUAGE_VARIABLE, ClaimError, UnknownNameError, said

CLAIM_MIME = "application/vnd.tlhelpers.claim+json"
RESULT_MIME = "application/vnd.tlhelpers.result+json"

WORDS = {
    "en": {"held": "holds", "failed": "does not hold", "measured": "measured", "expected": "expected",
           "elsewhere": "said of the course's own data", "here": "with these",
           "interval": "95 % interval {} to {}",
           "meaning": "With these data and parameters the claim is not borne out: either the parameters were changed "
                      "(go back to those at the top), or the code was, or the claim itself is false here."},
    "es": {"held": "se cumple", "failed": "no se cumple", "measured": "medido", "expected": "esperado",
           "elsewhere": "dicho de los datos del curso", "here": "con estos",
           "interval": "intervalo del 95 %: de {} a {}",
           "meaning": "Con estos datos y parámetros la afirmación no se sostiene: o han cambiado los parámetros "
                      "(vuelva a los del comienzo), o el código, o la afirmación misma es falsa aquí."},
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A sentence, the number measured for it, and the bounds that it asks for (None: no bound on that side)."""

    name: str
    value: float
    en: str
    es: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""
    asserted: bool = True  # False: with other data than those that the bound was set for
    low: float | None = None  # the ends of the value's 95 % interval, where the lesson gives one
    high: float | None = None
    lesson: str = ""  # the last three are known only where the claim was read from a notebook
    language: str = "en"
    framework: str = ""

    @property
    def passed(self) -> bool:
        """Whether the number is finite and within the bounds; both bounds themselves pass."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return math.isfinite(self.value) and low <= self.value <= high

    @property
    def sentence(self) -> str:
        """The sentence in the claim's language."""
        return self.es if self.language == "es" else self.en

    @property
    def bound(self) -> str:
        """The bounds, as in `≥ 90 %, ≤ 99 %`."""
        signs = (("≥", self.at_least), ("≤", self.at_most))
        return ", ".join(f"{sign} {_number(bound, self.unit)}" for sign, bound in signs if bound is not None)

    @property
    def measured(self) -> str:
        """The value, with more digits where rounding would put it on a bound that it does not meet."""
        for digits in range(4, 18):
            text = _number(self.value, self.unit, digits)
            if self.passed or text not in (_number(self.at_least, self.unit), _number(self.at_most, self.unit)):
                break
        return text

    @property
    def numbers(self) -> str:
        """The value with its interval where it has one, in the claim's language."""
        if self.low is None or self.high is None:
            return self.measured
        interval = WORDS[self.language]["interval"].format(_number(self.low, ""), _number(self.high, ""))
        return f"{self.measured} ({interval})"


def lesson_claims(claims: dict[str, dict], language: str, asserted: bool) -> Callable:
    """The `claim(name, value)` of a lesson whose sentences and bounds stand in a table beside it.

    Args:
        claims: For each name its sentences `en` and `es`, `at_least`, `at_most` or both, and the `unit` of value and
            bounds, such as `%`, `s` or `points`.
        language: `en` or `es`, the language to show.
        asserted: False where the lesson's parameters are not those that its bounds were set for: number and bound are
            shown side by side, recorded as not asserted, and the notebook goes on. The environment variable
            `TLHELPERS_CLAIMS=show` has the same effect, for whoever wants to see all numbers.

    Returns:
        A function of a claim's name and its measured value: a number, or an estimate with `value`, `low` and `high`,
        whose interval is shown and does not decide. It shows the claim, records it, and raises `ClaimError` where the
        value is outside the bounds or not finite, `TypeError` where it is no number.

    Raises:
        UnknownNameError: An unknown language.
    """
    if language not in WORDS:
        raise UnknownNameError(said("language", "idioma"), language, WORDS)
    os.environ[LANGUAGE_VARIABLE] = language  # so that errors speak the notebook's language, too
    asserted, words = asserted and os.environ.get("TLHELPERS_CLAIMS") != "show", WORDS[language]

    def claim(name: str, value) -> None:
        if name not in claims:
            raise UnknownNameError(said("claim", "afirmación"), name, claims)
        number = getattr(value, "value", value)
        if isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise TypeError(
                f"Claim {name!r}: expected a number, came {value!r} ({type(value).__name__}). Give a float; of a "
                "tensor or an array of one element take .item()."
            )
        given = {end: getattr(value, end) for end in ("low", "high") if hasattr(value, end)}
        given |= {bound: claims[name][bound] for bound in ("at_least", "at_most") if bound in claims[name]}
        given = claims[name] | {key: float(number) for key, number in given.items()}
        checked = Claim(name, float(number), **given, asserted=asserted, language=language)
        output = claim_output(checked)
        if not _display(output):
            print(output["text/plain"])
        if asserted and not checked.passed:
            raise ClaimError(
                f"{checked.sentence}\n  {words['measured']} {checked.numbers}, {words['expected']} {checked.bound}\n"
                + words["meaning"]
            )

    return claim


def record_result(name: str, **values: str | float | int | bool | None) -> None:
    """Records numbers under a name, without showing anything in the notebook.

    The tables of `tlcourse demo` come from results named `accuracy` with the fields `method` (`frozen`, `fine_tuned`
    or `scratch`), `accuracy`, `low` and `high` (fractions, the 95 % interval), `seconds`, `data` and `backbone`.

    Raises:
        TypeError: A field is neither a number nor a text nor None.
    """
    fields = {key: _plain(name, key, value) for key, value in values.items()}
    _display({RESULT_MIME: {"name": name, "fields": fields}, "text/html": ""})


def claim_output(checked: Claim) -> dict[str, str | dict]:
    """What a notebook shows of a claim and keeps of it, by MIME type."""
    words = WORDS[checked.language]
    record = asdict(checked) | {"passed": checked.passed}
    for key in ("lesson", "framework"):  # the notebook's metadata say it
        del record[key]
    if not math.isfinite(checked.value):
        record["value"] = None  # JSON has no NaN
    if not checked.asserted:
        numbers_text = f"{words['elsewhere']}: {checked.bound}; {words['here']}: {checked.numbers}"
        return {CLAIM_MIME: record, "text/plain": f"{checked.sentence} ({numbers_text})"}
    mark, verdict = ("✔", words["held"]) if checked.passed else ("✘", words["failed"])
    numbers_text = f"{words['measured']} {checked.numbers}, {words['expected']} {checked.bound}"
    colour, background = ("#1b6e3c", "#eef8f1") if checked.passed else ("#a11616", "#fdf0f0")
    rich = (
        f'<div style="border-left:4px solid {colour};background:{background};color:#1a1a1a;padding:6px 10px">'
        f'<b style="color:{colour}">{mark} {verdict}</b> · {html.escape(checked.sentence)}<br>'
        f'<span style="color:#444">{html.escape(numbers_text)}</span></div>'
    )
    return {
        CLAIM_MIME: record,
        "text/html": rich,
        "text/plain": f"{mark} {checked.sentence} ({verdict}: {numbers_text})",
    }


def _number(value: float | None, unit: str, digits: int = 4) -> str:
    if value is None:
        return ""
    large = math.isfinite(value) and abs(value) >= 10**digits
    text = f"{value:.0f}" if large else f"{value:.{digits}g}"
    one = text in ("1", "-1") and len(unit) > 1 and not unit.endswith("es")
    return f"{text} {unit.removesuffix('s') if one else unit}".rstrip()


def _plain(name: str, key: str, value):
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"Result {name!r}: expected a number or a text for {key}, came {value!r} ({type(value).__name__}).")


def _display(output: dict) -> bool:
    """Shows an output where an IPython kernel runs this code, and says whether one does; IPython is not imported."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return False
    from IPython.display import display

    display(output, raw=True)
    return True
