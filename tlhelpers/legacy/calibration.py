"""Does 90 % mean nine in ten? Reliability, expected calibration error, temperature. numpy in, numpy out."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reliability:
    """Answers in bins of their confidence (the largest probability); bins without an answer are left out.

    Attributes:
        confidence: mean confidence of the answers in each bin, fractions, shape `(k,)`.
        accuracy: share of right ones among them, fractions, shape `(k,)`.
        count: how many they are, shape `(k,)`.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by the counts."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))


def reliability(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10) -> Reliability:
    """Sort answers by confidence into bins of equal width, and see how many of each bin are right.

    Args:
        labels: shape `(n,)`, integers from 0.
        probabilities: shape `(n, num_classes)`, rows that sum to 1.
        bins: how many bins between 0 and 1.

    Raises:
        ValueError: the shapes do not fit, rows are no probabilities, or there is no bin.
    """
    labels, probabilities = _check(labels, probabilities)
    if bins < 1:
        raise ValueError(f"expected at least one bin, got {bins}")
    confidence = probabilities.max(1)
    return _in_bins(confidence, probabilities.argmax(1) == labels, bins)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy, a fraction (Guo, Pleiss, Sun and Weinberger, ICML 2017, eq. 3).

    Args:
        labels: as for `reliability`.
        probabilities: likewise.
        bins: likewise.

    Raises:
        ValueError: as `reliability` does.
    """
    return reliability(labels, probabilities, bins=bins).error


def error_by_chance(probabilities: np.ndarray, *, bins: int = 10, draws: int = 500, seed: int = 0) -> np.ndarray:
    """Calibration errors that a perfectly calibrated model shows on so few images.

    Each answer is taken to be right with exactly the probability that was announced; what remains is chance.

    Args:
        probabilities: as for `reliability`.
        bins: likewise.
        draws: how often fate is drawn.
        seed: of the draws.

    Returns:
        Shape `(draws,)`, fractions.
    """
    confidence = np.asarray(probabilities, float).max(1)
    rng = np.random.default_rng(seed)
    return np.array([_in_bins(confidence, rng.random(len(confidence)) < confidence, bins).error for _ in range(draws)])


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature that makes probabilities fit the labels best, by cross-entropy (Guo et al., ICML 2017, sec. 4.2).

    Args:
        labels: shape `(n,)`, of images that the model was not trained on.
        probabilities: shape `(n, num_classes)`, of the same images.

    Returns:
        Above 1 where the model was too sure, below 1 where it was not sure enough; between 0.05 and 20.

    Raises:
        ValueError: as `reliability` does.
    """
    from scipy.optimize import minimize_scalar

    labels, probabilities = _check(labels, probabilities)
    rows = np.arange(len(labels))

    def cross_entropy(log_temperature: float) -> float:
        return -_log_softmax(_logits(probabilities) / np.exp(log_temperature))[rows, labels].mean()

    bound = np.log(20)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-bound, bound), method="bounded").x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities after division of the logits by a temperature; the order of the classes stays.

    Args:
        probabilities: shape `(n, num_classes)`.
        temperature: above 0; 1 changes nothing.

    Returns:
        Shape `(n, num_classes)`, float64; each row sums to 1.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    return np.exp(_log_softmax(_logits(np.asarray(probabilities, float)) / temperature))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits, up to a constant of each row, which a softmax takes out again; 0 is taken as 1e-12."""
    return np.log(np.clip(probabilities, 1e-12, None))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def _in_bins(confidence: np.ndarray, right: np.ndarray, bins: int) -> Reliability:
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(number, minlength=bins)
    used = count > 0
    sums = (np.bincount(number, values, minlength=bins)[used] for values in (confidence, right.astype(float)))
    mean_confidence, accuracy = (total / count[used] for total in sums)
    return Reliability(mean_confidence, accuracy, count[used])


def _check(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, float)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            "expected labels of shape (n,) and probabilities of shape (n, num_classes), n at least 1, got "
            f"{labels.shape} and {probabilities.shape}"
        )
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        raise ValueError("expected probabilities, rows of which sum to 1, got something else; apply a softmax first")
    return labels, probabilities
