"""Numbers about predictions: accuracy with its interval, probes, mistakes. numpy in, numpy out."""

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tlhelpers.numbers import percent

Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: the estimate, for an accuracy a fraction.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{percent(self.value)} ({percent(self.low)} – {percent(self.high)})"

    def __rmul__(self, factor: float) -> "Estimate":
        """The same in another unit: `100 * estimate` is in points or in %. The factor is above 0."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high)


def accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of rows of `(n, num_classes)` whose largest entry is at the label, as a fraction."""
    return float(np.mean(probabilities.argmax(1) == labels))


def wilson_interval(value: float, n: float) -> Estimate:
    """95 % interval of a share `value` of `n` independent trials (Wilson, JASA 22, 1927).

    Raises:
        ValueError: where `value` is no fraction, or `n` is not above 0.
    """
    if not 0 <= value <= 1 or not n > 0:
        raise ValueError(f"expected a fraction of 0 to 1 and n above 0, got {value} and {n}")
    centre = (value + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(value * (1 - value) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Estimate(value, min(value, low), max(value, high))  # rounding may put an end a hair inside of 0 or 1


def bootstrap_interval(
    statistic: Callable[..., float], *arrays: np.ndarray, draws: int = 1000, seed: int = 0
) -> Estimate:
    """95 % interval of any number that is computed from a test set (percentile bootstrap: Efron, 1979).

    The test set is drawn anew from itself, image by image and with repetition, and the number computed each time.

    Args:
        statistic: takes the arrays, gives a number; such as `sklearn.metrics.f1_score`.
        arrays: what it takes, such as labels and predictions, all of shape `(n, ...)`; rows stay together.
        draws: how many test sets are drawn. Those for which the number is not defined (NaN) are left out.
        seed: of the draws.

    Raises:
        ValueError: no array, arrays of different lengths, or no draw for which the number is defined.
    """
    arrays = tuple(np.asarray(array) for array in arrays)
    if not arrays or len({len(array) for array in arrays}) != 1 or not len(arrays[0]):
        raise ValueError(f"expected arrays of one length, and not empty, got lengths {[len(a) for a in arrays]}")
    rng, n = np.random.default_rng(seed), len(arrays[0])
    picks = (rng.integers(0, n, n) for _ in range(draws))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw without one of the classes is left out, and no news
        found = np.array([float(statistic(*(array[pick] for array in arrays))) for pick in picks])
    found = found[np.isfinite(found)]
    if not len(found):
        raise ValueError("expected a number that is defined for at least one draw, got none; are there enough images?")
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(float(statistic(*arrays)), float(low), float(high))


def accuracy_estimate(accuracies: list[float], n_test: int) -> Estimate:
    """Mean accuracy of several seeds on one test set of `n_test` images, with a 95 % interval for more such runs.

    Each seed draws other training images and other first weights; all share their test set, which they do not make
    larger. So two squared half widths add up, each with the t of its own degrees of freedom (Banerjee, Sankhya 22,
    1960): the images' and the seeds'. The interval is Wilson's (JASA 22, 1927) for a test of so few images that it
    alone is that wide. It covers 95 to 99 % in simulations of 2 to 5 seeds. Take three or more: for two, t is 12.7.

    Args:
        accuracies: one a seed, fractions. From a single one nothing is known of the seeds, and they are left out.
        n_test: how many images the test set has.
    """
    mean = float(np.mean(accuracies))
    images, seeds = mean * (1 - mean) / n_test, _half_width(accuracies) ** 2 / Z**2
    return wilson_interval(mean, n_test * images / (images + seeds) if seeds else n_test)


def mean_interval(values: list[float]) -> Estimate:
    """Mean and 95 % interval of a few repeated measurements, by Student's t.

    Raises:
        ValueError: for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"expected at least two values for an interval, got {len(values)}")
    mean, half = float(np.mean(values)), _half_width(values)
    return Estimate(mean, mean - half, mean + half)


def paired_difference(right_a: np.ndarray, right_b: np.ndarray) -> Estimate:
    """How much more often `b` is right than `a` on the same test images, with a 95 % interval.

    Args:
        right_a: shape `(seeds, n)` or `(n,)`, bool: whether model a was right on each image, once per seed.
        right_b: the same for model b.

    Returns:
        The difference of the accuracies (a fraction). As in `accuracy_estimate` the squared half widths of images
        and of seeds add up. To the images come half a one that only `a` gets right, half a one that only `b` does, and
        one without a difference (Agresti and Min, Statistics in Medicine 24, 2005): two models that agree on each of
        100 images may still differ. It covers 94 to 99 % in simulations of 2 to 5 seeds; 92 to 93 % where the seeds
        of one model spread by more than half of what it lacks to 100 %.
    """
    difference = np.atleast_2d(right_b).astype(float) - np.atleast_2d(right_a).astype(float)
    value, n = float(difference.mean()), difference.shape[1]
    images = difference.mean(0)
    variance = (np.sum(images**2) + 1) / (n + 2) - (np.sum(images) / (n + 2)) ** 2
    half = math.hypot(_half_width(difference.mean(1)), _t(n + 1) * math.sqrt(variance / (n + 2)))
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))


def describe_difference(difference: Estimate, language: str = "en") -> str:
    """A sentence for a difference of accuracies; one inside the noise is told as none."""
    same, better, worse, text = {
        "en": ("no difference that this test can see", "better", "worse",
               "{:+.1f} points (95 % interval {:+.1f} to {:+.1f})"),
        "es": ("ninguna diferencia que esta prueba pueda ver", "mejor", "peor",
               "{:+.1f} puntos (intervalo del 95 %: de {:+.1f} a {:+.1f})"),
    }[language]  # fmt: skip
    verdict = same if difference.low <= 0 <= difference.high else better if difference.value > 0 else worse
    return f"{verdict}: " + text.format(
        *(100 * number for number in (difference.value, difference.low, difference.high))
    )


def linear_probe(
    features: np.ndarray,
    labels: np.ndarray,
    test_features: np.ndarray,
    *,
    strength: float = 0.1,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Logistic regression on standardised features: what a frozen backbone knows, with nothing else trained.

    Args:
        features: shape `(n, d)` float, of labelled images.
        labels: shape `(n,)`, integers from 0.
        test_features: shape `(m, d)`.
        strength: inverse of the regularisation; small values suit few labels and many features.
        weights: shape `(n,)`, how much each labelled image counts; all alike when None.

    Returns:
        Probabilities of shape `(m, num_classes)`, float64.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    fitted = probe.fit(features, labels, logisticregression__sample_weight=weights)
    return fitted.predict_proba(test_features)


def most_confident_mistakes(labels: np.ndarray, probabilities: np.ndarray, top: int = 8) -> np.ndarray:
    """Indices of wrong answers, those with the highest probability for the wrong class first; at most `top`."""
    predicted = probabilities.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:top]


def _half_width(values: list[float] | np.ndarray) -> float:
    """Half of the 95 % interval of a mean by Student's t; 0 for a single value, which tells nothing of a spread."""
    if len(values) < 2:
        return 0.0
    return _t(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


@functools.cache
def _t(degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, degrees))
