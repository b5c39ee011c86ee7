"""Figures about fine-tuning, in the manner of `tlhelpers.plots`."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from tlhelpers.legacy.rate_test import RateTest
from tlhelpers.plots import COLOURS, LINES, MARKERS, new_axes, tidy, word

_WORDS = {
    "rate": ("Learning rate (logarithmic scale)", "Tasa de aprendizaje (escala logarítmica)"),
    "factor": ("Learning rate (share of the highest)", "Tasa de aprendizaje (fracción de la máxima)"),
    "step": ("Step of the training run", "Paso del entrenamiento"),
    "batch": ("single batch", "un lote"),
    "smooth": ("smoothed", "suavizada"),
    "lowest": ("lowest", "mínimo"),
    "advice": ("a third of it", "su tercera parte"),
    "layer": ("Layer, from the image inwards", "Capa, desde la imagen hacia dentro"),
    "similarity": ("Similarity to before (linear CKA)", "Semejanza con la red de antes (CKA lineal)"),
    "source": ("Accuracy on the old task (%)", "Exactitud en la tarea antigua (%)"),
    "target": ("Accuracy on the new task (%)", "Exactitud en la tarea nueva (%)"),
    "before": ("old task, before", "tarea antigua, antes"),
    "chosen": ("chosen", "elegido"),
}


def _word(key: str, language: str) -> str:
    return _WORDS[key][("en", "es").index(language)]


def _number(value: float, language: str) -> str:
    text = f"{value:.1g}"
    return text.replace(".", ",") if language == "es" else text


def plot_rate_test(test: RateTest, *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Loss over the learning rate, with the rate of the lowest loss and the one that is advised."""
    ax = new_axes(ax)
    ax.plot(test.rates, test.losses, "o", color="#AAAAAA", markersize=3, label=_word("batch", language))
    ax.plot(test.rates, test.smooth, "-", color=COLOURS[0], label=_word("smooth", language))
    for k, name in enumerate(("lowest", "advice"), start=1):
        rate = getattr(test, name)
        ax.axvline(
            rate, color=COLOURS[k], linestyle=LINES[k], label=f"{_word(name, language)}: {_number(rate, language)}"
        )
    top = max(2 * test.smooth[0], 1.2 * np.median(test.losses))
    ax.set(xscale="log", xlabel=_word("rate", language), ylabel=word("cross-entropy", language), ylim=(0, top))
    tidy(ax)
    ax.legend(frameon=False, fontsize=9)
    return ax


def plot_schedules(schedules: Mapping[str, Sequence[float]], *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Learning rates over the steps of a run, one line a schedule, as shares of the highest rate."""
    ax = new_axes(ax, 6.0, 2.6)
    for k, (name, rates) in enumerate(schedules.items()):
        ax.plot(np.arange(1, len(rates) + 1), rates, LINES[k], color=COLOURS[k], marker=MARKERS[k], markersize=4,
                markevery=max(1, len(rates) // 10), label=name)  # fmt: skip
    ax.set(xlabel=_word("step", language), ylabel=_word("factor", language), ylim=(0, 1.08))
    ax.yaxis.label.set_fontsize(9)
    tidy(ax)
    ax.legend(frameon=False, fontsize=9)
    return ax


def plot_similarity(
    layers: Sequence[str], runs: Mapping[str, np.ndarray], *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """How alike the features of each layer are before and after training, one line a run.

    Args:
        layers: names, from the image inwards.
        runs: by name, similarities of shape `(seeds, len(layers))`, 0 to 1.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax)
    for k, (name, values) in enumerate(runs.items()):
        values = np.atleast_2d(values)
        ax.plot(layers, values.mean(0), LINES[k], color=COLOURS[k], marker=MARKERS[k], label=name)
        ax.fill_between(range(len(layers)), values.min(0), values.max(0), color=COLOURS[k], alpha=0.15, linewidth=0)
    ax.set(xlabel=_word("layer", language), ylabel=_word("similarity", language), ylim=(0, 1.03))
    tidy(ax)
    ax.legend(frameon=False, fontsize=9)
    return ax


def plot_old_and_new(
    points: Mapping[str, np.ndarray], before: float, *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """What is gained against what is forgotten: a point a method, pale marks for single seeds.

    Args:
        points: by method, accuracies on the old and on the new task as fractions, shape `(seeds, 2)`.
        before: accuracy on the old task before training, as a fraction.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 7.0, 4.0)
    colours, markers = [*COLOURS, *COLOURS], [*MARKERS, "*", "<", ">", "h", "p", "d", "8"]
    for k, (name, values) in enumerate(points.items()):
        values = 100 * np.atleast_2d(values)
        ax.plot(*values.T, markers[k], color=colours[k], markersize=4, alpha=0.4)
        ax.plot(*values.mean(0), markers[k], color=colours[k], markersize=9, label=name)
    ax.axvline(100 * before, color="#666666", linewidth=1, linestyle=":", label=_word("before", language))
    ax.set(xlabel=_word("source", language), ylabel=_word("target", language))
    tidy(ax)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def plot_decisions(
    rows: Sequence[str],
    columns: Sequence[str],
    panels: Mapping[str, Sequence[Sequence[Sequence[int]]]],
    strategies: Sequence[str],
    notes: Sequence[Sequence[str]] | None = None,
    tie: str = "=",
) -> np.ndarray:
    """Decision matrices side by side: which strategies are right in each cell.

    Args:
        rows: sizes of the data set.
        columns: similarities to the source.
        panels: by title, for each row and column the indices of the strategies, the best first; it gives the colour.
        strategies: their names.
        notes: a line for each cell of the first panel, such as its accuracies.
        tie: what stands in a cell where all strategies are right; it stays grey.
    """
    side = (1.4 * len(columns) + 0.5, 0.85 * len(rows) + 0.7)
    axes = plt.subplots(1, len(panels), figsize=(side[0] * len(panels), side[1]), layout="constrained")[1]
    for number, (ax, (title, cells)) in enumerate(zip(np.atleast_1d(axes), panels.items(), strict=True)):
        for (y, row), x in ((pair, x) for pair in enumerate(cells) for x in range(len(columns))):
            tied = len(row[x]) == len(strategies)
            colour = "#999999" if tied else COLOURS[row[x][0]]
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, color=colour, alpha=0.28, linewidth=0))
            text = tie if tied else "\n= ".join(strategies[k] for k in row[x])
            ax.text(x, y - 0.08, text, ha="center", va="center", fontsize=9)
            if notes is not None and number == 0:
                ax.text(x, y + 0.42, notes[y][x], ha="center", va="bottom", fontsize=7, color="#333333")
        ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
        ax.set_xticks(range(len(columns)), columns, fontsize=9)
        ax.set_yticks(range(len(rows)), rows if number == 0 else [""] * len(rows), fontsize=9)
        ax.set_title(title, fontsize=10)
        ax.tick_params(length=0)
        ax.hlines(np.arange(len(rows) - 1) + 0.5, -0.5, len(columns) - 0.5, color="white", linewidth=3)
        ax.vlines(np.arange(len(columns) - 1) + 0.5, -0.5, len(rows) - 0.5, color="white", linewidth=3)
    return np.atleast_1d(axes)


def plot_rates_by_depth(
    rates: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    chosen: tuple[str, float] | None = None,
    *,
    language: str = "en",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy over the learning rate, one curve a depth of unfreezing; one point may be marked.

    Args:
        rates: learning rates.
        curves: by depth, accuracies as fractions, one a rate.
        chosen: depth and rate of the point to mark.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 6.0, 3.2)
    for k, (name, values) in enumerate(curves.items()):
        ax.plot(rates, 100 * np.asarray(values), LINES[k], color=COLOURS[k], marker=MARKERS[k], label=name)
        if chosen is not None and chosen[0] == name:
            value = 100 * values[list(rates).index(chosen[1])]
            ax.plot(chosen[1], value, "o", markersize=16, markerfacecolor="none", markeredgecolor="black",
                    label=f"{_word('chosen', language)}: {value:.0f} %")  # fmt: skip
    ax.set(xscale="log", xlabel=_word("rate", language), ylabel=word("accuracy", language), ylim=(0, 100))
    tidy(ax)
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
