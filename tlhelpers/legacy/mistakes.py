"""Mistakes made on purpose, and the table of what they cost; for lesson 05."""

import html
import textwrap
from dataclasses import dataclass, field

import numpy as np

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import AS_IS, IMAGENET, MINUS_ONE_TO_ONE, Preprocessing
from tlhelpers.metrics import Estimate

KINDS = ("lost", "illusion")  # accuracy that is really lost; accuracy that is reported and is not there
_WORDS = {
    "en": ("mistake", "points", "95 % interval", "symptom", "{} to {}", "not visible here"),
    "es": ("error", "puntos", "intervalo del 95 %", "síntoma", "de {} a {}", "aquí no se ve"),
}


def wrong_preprocessings(right: Preprocessing) -> dict[str, Preprocessing]:
    """What a network gets where its pixels are prepared wrongly, under short names.

    `0-255`: raw pixels. `0-1`: divided by 255 and nothing else. `other recipe`: scaled as another family of networks
    wants it. `BGR`: red and blue swapped. `scaled twice`: pixels of 0 to 1 where the recipe expects 0 to 255. One that
    happens to be right is left away.
    """
    zero, one = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    swapped = Preprocessing(right.mean, right.std, not right.bgr)
    twice = Preprocessing(tuple(255.0 * v for v in right.mean), tuple(255.0 * v for v in right.std), right.bgr)
    wrong = {
        "0-255": AS_IS,
        "0-1": Preprocessing(zero, one),
        "other recipe": IMAGENET if right == MINUS_ONE_TO_ONE else MINUS_ONE_TO_ONE,
        "BGR": swapped,
        "scaled twice": twice,
    }
    return {name: preprocessing for name, preprocessing in wrong.items() if preprocessing != right}


def as_received(images: np.ndarray, preprocessing: Preprocessing, right: Preprocessing) -> np.ndarray:
    """The pictures that would give a network, prepared rightly, what it gets through another preprocessing.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        preprocessing: the one that is applied.
        right: the one that the network was trained with.

    Returns:
        The same shape, uint8: values outside of 0 to 255 are cut off, since no picture has them.
    """
    x = images[..., ::-1] if preprocessing.bgr else images
    x = (x.astype(np.float64) - preprocessing.mean) / preprocessing.std
    x = x * np.array(right.std) + np.array(right.mean)
    x = x[..., ::-1] if right.bgr else x
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def random_heads(
    features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, count: int = 200, seed: int = 0
) -> np.ndarray:
    """What many slightly different heads answer: ridge regressions on features drawn at random, of random strength.

    Trying them costs next to nothing, which is what makes choosing the best of them so tempting.

    Args:
        features: shape `(n, d)`, of labelled images.
        labels: shape `(n,)`, integers from 0.
        test_features: shape `(m, d)`.
        count: how many heads.
        seed: of the draws.

    Returns:
        Predicted labels, shape `(count, m)`.
    """
    rng = np.random.default_rng(seed)
    targets = 2.0 * np.eye(labels.max() + 1)[labels] - 1
    size, out = min(48, features.shape[1]), []
    x, x_test = (np.c_[part, np.ones(len(part))].astype(float) for part in (features, test_features))
    for _ in range(count):
        columns = np.append(rng.choice(features.shape[1], size, replace=False), features.shape[1])
        a, strength = x[:, columns], 10 ** rng.uniform(0, 3)
        weights = np.linalg.solve(a.T @ a + strength * np.eye(size + 1), a.T @ targets)
        out.append((x_test[:, columns] @ weights).argmax(1))
    return np.stack(out)


def hidden_by_accuracy(hit: np.ndarray, rare: np.ndarray) -> Estimate:
    """Accuracy less balanced accuracy, in a question of two classes: what a rare class's errors hardly show.

    Args:
        hit: shape `(n,)`, bool: whether each answer was right.
        rare: shape `(n,)`, bool: whether the image is of the rare class.

    Returns:
        A fraction; the interval is a bootstrap within each class, since the classes' shares are not left to chance.

    Raises:
        ValueError: where a class has no images.
    """
    groups = [np.asarray(hit, float)[np.asarray(rare) == which] for which in (True, False)]
    if not all(len(group) for group in groups):
        raise ValueError("expected images of both classes, got those of one")
    share, rng = len(groups[0]) / len(hit), np.random.default_rng(0)
    recalls = np.array([group[rng.integers(0, len(group), (2000, len(group)))].mean(1) for group in groups])
    draws = (0.5 - share) * (recalls[1] - recalls[0])
    value = (0.5 - share) * (groups[1].mean() - groups[0].mean())
    return Estimate(float(value), *(float(v) for v in np.quantile(draws, [0.025, 0.975])))


@dataclass(frozen=True)
class Mistake:
    """One row: what was done wrong, what it cost, and how it shows.

    Attributes:
        name: in the table's language.
        cost: points of accuracy as a fraction, with its interval; above zero is harm.
        symptom: in the table's language.
        kind: one of `KINDS`.
    """

    name: str
    cost: Estimate
    symptom: str
    kind: str

    @property
    def visible(self) -> bool:
        """Whether the interval leaves zero out."""
        return not self.cost.low <= 0 <= self.cost.high


@dataclass
class MistakeTable:
    """The running table of a lesson, in "en" or "es"."""

    language: str = "en"
    rows: list[Mistake] = field(default_factory=list)

    def __post_init__(self):
        if self.language not in _WORDS:
            raise UnknownNameError("language", self.language, _WORDS)

    def add(self, name: dict[str, str], cost: Estimate, symptom: dict[str, str], kind: str = "lost") -> None:
        """Put a row down, and print it.

        Args:
            name: of the mistake, by language.
            cost: points of accuracy as a fraction, with its interval; above zero is harm.
            symptom: how it shows, by language.
            kind: "lost" for accuracy that is gone, "illusion" for accuracy that is reported and is not there.
        """
        if kind not in KINDS:
            raise UnknownNameError("kind", kind, KINDS)
        self.rows.append(Mistake(name[self.language], cost, symptom[self.language], kind))
        print(self._line(self.rows[-1]))

    def _line(self, row: Mistake) -> str:
        value, interval = self._numbers(row)
        note = "" if row.visible else f"  {_WORDS[self.language][5]}"
        return f"{textwrap.shorten(row.name, 46):46} {value:>6}  ({interval}){note}"

    def _numbers(self, row: Mistake) -> tuple[str, str]:
        value, low, high = (f"{100 * v:+.1f}" for v in (row.cost.value, row.cost.low, row.cost.high))
        return value, _WORDS[self.language][4].format(low, high)

    def __str__(self) -> str:
        return "\n".join(self._line(row) for row in self.rows)

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{word}</th>" for word in _WORDS[self.language][:4])
        body = []
        for row in self.rows:
            value, interval = self._numbers(row)
            note = "" if row.visible else f"<br><em>{_WORDS[self.language][5]}</em>"
            cells = (html.escape(row.name), f"<b>{value}</b>", interval + note, html.escape(row.symptom))
            body.append("<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
