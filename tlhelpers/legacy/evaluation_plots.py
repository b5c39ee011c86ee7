"""Figures of lesson 06: metrics, intervals, calibration, learning curves, shift and slices.

Every function draws into `ax` where one is given, else into a new figure, and returns its axes.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from tlhelpers.legacy.calibration import Reliability
from tlhelpers.legacy.training import History
from tlhelpers.metrics import Estimate, wilson_interval
from tlhelpers.plots import COLOURS, LINES, MARKERS, new_axes, plt, tidy, word

_WORDS = {
    "accuracy": ("Accuracy (%)", "Exactitud (%)"),
    "confidence": ("Confidence (%)", "Confianza (%)"),
    "coverage": ("Intervals that hold the truth (%)", "Intervalos que contienen la verdad (%)"),
    "false positives": ("False positive rate (%)", "Tasa de falsos positivos (%)"),
    "labels": ("Labels per class (logarithmic scale)", "Etiquetas por clase (escala logarítmica)"),
    "mean accuracy": ("accuracy", "exactitud"),
    "mean confidence": ("mean confidence", "confianza media"),
    "mean of all": ("all images", "todas las imágenes"),
    "perfect": ("perfectly calibrated", "calibración perfecta"),
    "promised": ("promised: 95 %", "lo prometido: 95 %"),
    "guessing": ("guessing", "al azar"),
    "true positives": ("True positive rate, recall (%)", "Tasa de verdaderos positivos, sensibilidad (%)"),
    "truth": ("True accuracy (%)", "Exactitud verdadera (%)"),
}


def _word(key: str, language: str) -> str:
    return _WORDS[key][("en", "es").index(language)]


def plot_roc(
    labels: np.ndarray, scores: dict[str, np.ndarray], *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """The ROC curve of each model: all thresholds at once; the mark is the threshold of one half.

    Args:
        labels: shape `(n,)`, 1 for the class that is sought, 0 for the others.
        scores: by the model's name, probability of the class that is sought, shape `(n,)`.
        language: of the labels.
        ax: where to draw.
    """
    from sklearn.metrics import roc_curve

    ax = new_axes(ax, 4.6, 4.2)
    for k, (name, values) in enumerate(scores.items()):
        false, true, _ = roc_curve(labels, values)
        ax.plot(100 * false, 100 * true, LINES[k], color=COLOURS[k], label=name)
        half = np.asarray(values) >= 0.5
        ax.plot(100 * half[labels == 0].mean(), 100 * half[labels == 1].mean(), MARKERS[k], color=COLOURS[k])
    ax.plot([0, 100], [0, 100], ":", color="#666666", linewidth=1, label=_word("guessing", language))
    ax.set(xlabel=_word("false positives", language), ylabel=_word("true positives", language))
    tidy(ax)
    ax.legend(frameon=False, loc="lower right")
    return ax


def plot_coverage(
    truths: np.ndarray, coverages: dict[str, np.ndarray], *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """How often each kind of interval holds the truth, over the truth.

    Args:
        truths: true accuracies, fractions, shape `(k,)`.
        coverages: by the interval's name, fractions, shape `(k,)`.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax)
    for k, (name, values) in enumerate(coverages.items()):
        ax.plot(100 * truths, 100 * np.asarray(values), LINES[k], color=COLOURS[k], marker=MARKERS[k], label=name)
    ax.axhline(95, color="#666666", linewidth=1, linestyle=":")
    ax.text(100 * truths[0], 95.6, _word("promised", language), color="#666666", fontsize=9, va="bottom")
    ax.set(xlabel=_word("truth", language), ylabel=_word("coverage", language), ylim=(None, 100.5))
    tidy(ax)
    ax.legend(frameon=False, loc="lower left")
    return ax


def plot_reliability(
    models: dict[str, Reliability], *, language: str = "en", axes: Sequence[Axes] | None = None
) -> np.ndarray:
    """A reliability diagram of each model, two in a row, with the 95 % interval of each bin.

    Args:
        models: by name.
        language: of the labels.
        axes: one a model.
    """
    if axes is None:
        rows, columns = -(-len(models) // 2), min(2, len(models))
        size = (3.2 * columns, 2.8 * rows)
        axes = plt.subplots(
            rows, columns, figsize=size, squeeze=False, sharex=True, sharey=True, layout="constrained", dpi=80
        )[1].ravel()
    for ax, (name, found) in zip(axes, models.items(), strict=False):
        ax.plot([0, 100], [0, 100], ":", color="#666666", linewidth=1, label=_word("perfect", language))
        for confidence, accuracy, count in zip(found.confidence, found.accuracy, found.count, strict=True):
            interval = wilson_interval(accuracy, int(count))
            low, high = 100 * (accuracy - interval.low), 100 * (interval.high - accuracy)
            ax.errorbar(100 * confidence, 100 * accuracy, yerr=[[low], [high]], color=COLOURS[0], marker=MARKERS[0],
                        markersize=4, capsize=2)  # fmt: skip
        ax.set(xlabel=_word("confidence", language), ylabel=_word("accuracy", language), xlim=(0, 102), ylim=(0, 102))
        ax.label_outer()
        ax.set_title(name, fontsize=9)
        tidy(ax)
    axes[0].legend(frameon=False, loc="upper left", fontsize=8)
    return np.asarray(axes)


def plot_histories(histories: dict[str, History], *, language: str = "en") -> np.ndarray:
    """Loss (above) and accuracy (below) over epochs of several runs, side by side, training against validation."""
    size = (2.9 * len(histories), 4.6)
    axes = plt.subplots(2, len(histories), figsize=size, squeeze=False, sharex="col", layout="constrained", dpi=80)[1]
    for column, (name, history) in zip(axes.T, histories.items(), strict=True):
        epochs = np.arange(1, len(history) + 1)
        pairs = ((history.loss, history.val_loss, 1), (history.accuracy, history.val_accuracy, 100))
        for ax, (train, val, scale) in zip(column, pairs, strict=True):
            for k, (values, label) in enumerate(((train, "training"), (val, "validation"))):
                ax.plot(epochs, scale * np.array(values), LINES[k], color=COLOURS[k], label=word(label, language))
            ax.set_ylim(0, 102 if scale == 100 else None)
            tidy(ax)
        column[0].set_title(name, fontsize=10)
        column[1].set_xlabel(word("epoch", language))
        column[1].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel(word("cross-entropy", language))
    axes[1, 0].set_ylabel(word("accuracy", language))
    axes[1, 0].legend(frameon=False, fontsize=8)
    return axes


def plot_learning_curve(
    counts: Sequence[int], train: np.ndarray, val: np.ndarray, *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """Accuracy on the training images and on the validation images over the number of labels.

    Args:
        counts: labels per class, shape `(k,)`.
        train: accuracies as fractions, shape `(seeds, k)`.
        val: likewise.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 5.4, 3.2)
    for k, (name, values) in enumerate((("training", train), ("validation", val))):
        values = 100 * np.atleast_2d(values)
        ax.plot(counts, values.mean(0), LINES[k], color=COLOURS[k], marker=MARKERS[k], label=word(name, language))
        ax.plot(counts, values.T, linestyle="none", color=COLOURS[k], marker=MARKERS[k], markersize=4, alpha=0.35)
    ax.set_xscale("log")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set(xlabel=_word("labels", language), ylabel=_word("accuracy", language))
    tidy(ax)
    ax.legend(frameon=False)
    return ax


def plot_under_shift(
    levels: Sequence[str],
    accuracies: Sequence[Estimate],
    confidences: Sequence[float],
    *,
    label: str,
    ordered: bool = True,
    language: str = "en",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy, with its interval, and mean confidence over conditions that get worse.

    Args:
        levels: names of the conditions, in their order.
        accuracies: one a condition.
        confidences: mean of the largest probability, fractions, one a condition.
        label: of the axis of conditions, with its unit.
        ordered: join the conditions by lines, since they get worse from one to the next.
        language: of the other labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 4.4, 3.2)
    places = np.arange(len(levels))
    values = 100 * np.array([(a.value, a.value - a.low, a.high - a.value) for a in accuracies])
    lines = LINES if ordered else ("", "")
    ax.errorbar(places, values[:, 0], yerr=values[:, 1:].T, linestyle=lines[0], color=COLOURS[0], marker=MARKERS[0],
                capsize=3, label=_word("mean accuracy", language))  # fmt: skip
    ax.plot(places, 100 * np.asarray(confidences), linestyle=lines[1], color=COLOURS[1], marker=MARKERS[1],
            label=_word("mean confidence", language))  # fmt: skip
    ax.set_xticks(places, list(levels))
    ax.set(xlabel=label, ylabel="%", ylim=(0, 103), xlim=(-0.4, len(levels) - 0.6))
    ax.label_outer()
    tidy(ax)
    ax.legend(frameon=False, loc="lower left")
    return ax


def plot_slices(slices: dict[str, Estimate], mean: float, *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Accuracy of each slice with its interval, and the accuracy of all images as a line.

    Args:
        slices: by name, in the order to show.
        mean: accuracy of all images, a fraction.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 5.6, 0.9 + 0.2 * len(slices))
    for k, estimate in enumerate(slices.values()):
        value, low, high = (100 * v for v in (estimate.value, estimate.low, estimate.high))
        ax.errorbar(value, k, xerr=[[value - low], [high - value]], color=COLOURS[0], marker=MARKERS[0], markersize=5,
                    capsize=2)  # fmt: skip
    ax.axvline(100 * mean, color=COLOURS[1], linestyle=LINES[1], label=_word("mean of all", language))
    ax.set_yticks(range(len(slices)), list(slices), fontsize=8)
    ax.set(xlabel=_word("accuracy", language), ylim=(len(slices) - 0.4, -0.6), xlim=(None, 101))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    ax.legend(frameon=False, loc="lower left", fontsize=8)
    return ax


def plot_groups(groups: dict[str, dict[str, Estimate]], *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Accuracies of several kinds of test images (the marks) for several models (the rows), with their intervals.

    Args:
        groups: by model, then by kind of test images; every model has the same kinds.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 6.2, 1.1 + 0.5 * len(groups))
    kinds = list(next(iter(groups.values())))
    for k, kind in enumerate(kinds):
        rows = np.arange(len(groups)) + 0.24 * (k - (len(kinds) - 1) / 2)
        found = 100 * np.array([(g[kind].value, g[kind].value - g[kind].low, g[kind].high - g[kind].value)
                                for g in groups.values()])  # fmt: skip
        ax.errorbar(found[:, 0], rows, xerr=found[:, 1:].T, fmt="none", ecolor=COLOURS[k], capsize=3)
        ax.plot(found[:, 0], rows, MARKERS[k], color=COLOURS[k], label=kind)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(xlabel=_word("accuracy", language), ylim=(len(groups) - 0.4, -0.6), xlim=(-2, 102))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=2, fontsize=9)
    return ax
