"""Figures of the lessons. Labels follow `language`; colours survive colour blindness (Okabe and Ito, 2008) and print.

Functions with an argument `ax` draw into it where it is given, else into a new figure, and return their axes.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import yaml
from matplotlib.axes import Axes

from tlhelpers.metrics import Estimate

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
IMAGE_DPI = 72  # pictures of pixels need no more, and notebooks stay small
LINES = ("-", "--", "-.", ":", "-", "--", "-.")

WORDS_FILE = Path(__file__).with_name("class_words.yaml")
_WORDS = {
    "accuracy": ("Accuracy (%)", "Exactitud (%)"),
    "chance": ("chance", "azar"),
    "cross-entropy": ("Cross-entropy (nats)", "Entropía cruzada (nats)"),
    "labels a class": ("Labels per class (logarithmic scale)", "Etiquetas por clase (escala logarítmica)"),
    "round": ("Round", "Ronda"),
    "predicted": ("Predicted class", "Clase predicha"),
    "seconds": ("Seconds", "Segundos"),
    "training": ("training", "entrenamiento"),
    "true": ("True class", "Clase verdadera"),
    "validation": ("validation", "validación"),
}


def word(key: str, language: str) -> str:
    """A label of the figures in a language, "en" or "es"."""
    return _WORDS[key][("en", "es").index(language)]


def class_words(class_names: Sequence[str], language: str) -> tuple[str, ...]:
    """Names of classes as a figure shows them: in the language where `class_words.yaml` has them, no underscores."""
    known = yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8")) if language == "es" else {}
    return tuple(known.get(name.lower().replace(" ", "_"), name.replace("_", " ")) for name in class_names)


def new_axes(ax: Axes | None, width: float = 6.0, height: float = 3.6) -> Axes:
    """The axes that were given, or those of a new figure, sizes in inches."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def tidy(ax: Axes) -> None:
    """Only what helps to read: two spines, faint horizontal lines."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    ax.set_axisbelow(True)


def show_images(images: np.ndarray, titles: Sequence[str] = (), *, columns: int = 6, side: float = 1.5) -> np.ndarray:
    """Pictures in a grid.

    Args:
        images: shape `(n, h, w, 3)`, uint8 or float in 0 to 1; or `(n, h, w)` for grey ones.
        titles: one a picture, or none.
        columns: pictures in a row.
        side: of a picture, in inches.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    lines = 1 + max((title.count("\n") for title in titles), default=-1)
    size = (columns * side, rows * (side + 0.19 * lines))
    axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", dpi=IMAGE_DPI)[1]
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image, cmap="gray" if image.ndim == 2 else None, interpolation="nearest")
        if i < len(titles):
            ax.set_title(titles[i], fontsize=9, parse_math=False)  # a folder may be called "50$$"
    return axes


def show_feature_maps(maps: dict[str, np.ndarray], *, side: float = 1.3) -> np.ndarray:
    """The six strongest channels of several layers for one image, a row a layer, bright where the channel answers.

    Args:
        maps: by layer, arrays of shape `(h, w, channels)`; those with the largest spread come first.
        side: of a map, in inches.
    """
    size = (6 * side + 1.2, len(maps) * side)
    axes = plt.subplots(len(maps), 6, figsize=size, squeeze=False, layout="constrained", dpi=IMAGE_DPI)[1]
    for row, (layer, values) in zip(axes, maps.items(), strict=True):
        order = np.argsort(-values.std((0, 1)))
        for ax, channel in zip(row, order, strict=False):
            ax.imshow(values[:, :, channel], cmap="viridis", interpolation="nearest")
        for ax in row:
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"{layer}\n{values.shape[0]}×{values.shape[1]}", rotation=0, ha="right", va="center")
    return axes


def plot_training(history: dict[str, list[float]], *, language: str = "en") -> np.ndarray:
    """Loss and accuracy over the rounds of training, with the round of the lowest validation loss marked.

    Args:
        history: For each round `loss`, `accuracy`, `val_loss` and `val_accuracy`, as Keras's `fit` gives them.
        language: of the labels.
    """
    axes = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")[1]
    rounds = np.arange(1, len(history["loss"]) + 1)
    for ax, key, scale, label in zip(axes, ("loss", "accuracy"), (1, 100), ("cross-entropy", "accuracy"), strict=True):
        for k, (name, values) in enumerate((("training", history[key]), ("validation", history[f"val_{key}"]))):
            ax.plot(rounds, scale * np.array(values), LINES[k], color=COLOURS[k], marker=MARKERS[k], markersize=3,
                    label=word(name, language))  # fmt: skip
        ax.axvline(np.argmin(history["val_loss"]) + 1, color="#999999", linewidth=1, linestyle=":")
        ax.set(xlabel=word("round", language), ylabel=word(label, language))
        ax.xaxis.get_major_locator().set_params(integer=True)
        tidy(ax)
        ax.legend(frameon=False)
    return axes


def plot_accuracy_over_labels(
    counts: Sequence[int], curves: dict[str, np.ndarray], *, chance: float, language: str = "en"
) -> Axes:
    """Test accuracy over the number of labels, one curve a method, a dot a seed.

    Args:
        counts: labels per class, shape `(k,)`.
        curves: by name, accuracies as fractions, shape `(seeds, k)`.
        chance: accuracy of guessing, as a fraction.
        language: of the labels.
    """
    ax = new_axes(None)
    for k, (name, values) in enumerate(curves.items()):
        values = 100 * np.atleast_2d(values)
        ax.plot(counts, values.mean(0), LINES[k], color=COLOURS[k], marker=MARKERS[k], label=name)
        for seed in values:
            ax.plot(counts, seed, linestyle="none", color=COLOURS[k], marker=MARKERS[k], markersize=4, alpha=0.35)
    ax.axhline(100 * chance, color="#666666", linewidth=1, linestyle=":")
    ax.text(counts[0], 100 * chance + 0.5, word("chance", language), color="#666666", fontsize=9, va="bottom")
    ax.set_xscale("log")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set(xlabel=word("labels a class", language), ylabel=word("accuracy", language), ylim=(None, 101))
    tidy(ax)
    ax.legend(frameon=False)
    return ax


def plot_estimates(estimates: dict[str, Estimate], *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Accuracies with their 95 % intervals, one row a method."""
    ax = new_axes(ax, 6.0, 0.9 + 0.5 * len(estimates))
    for k, estimate in enumerate(estimates.values()):
        value, low, high = (100 * v for v in (estimate.value, estimate.low, estimate.high))
        ax.errorbar(value, k, xerr=[[value - low], [high - value]], color=COLOURS[k], marker=MARKERS[k], capsize=4)
        ax.text(value, k - 0.17, f"{value:.1f}", ha="center", va="bottom", fontsize=9)
    ax.set_yticks(range(len(estimates)), list(estimates))
    ax.set(xlabel=word("accuracy", language), ylim=(len(estimates) - 0.5, -0.6))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    return ax


def plot_seconds(seconds: dict[str, float], *, language: str = "en") -> Axes:
    """Durations as bars, each with its number."""
    ax = new_axes(None, 6.0, 0.9 + 0.45 * len(seconds))
    bars = ax.barh(list(seconds), list(seconds.values()), color=COLOURS[: len(seconds)], height=0.6)
    ax.bar_label(bars, fmt=" {:.3g} s", fontsize=9)
    ax.invert_yaxis()
    ax.set(xlabel=word("seconds", language), xlim=(0, 1.15 * max(seconds.values())))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_confusion_matrix(
    labels: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    *,
    language: str = "en",
    ax: Axes | None = None,
) -> Axes:
    """Counts of true classes (rows) against predicted ones (columns)."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels, predicted, labels=range(len(class_names)))
    side = 2.2 + 0.45 * len(class_names)
    ax = new_axes(ax, side + 0.6, side)
    ax.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, count, ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
    ax.set_xticks(range(len(class_names)), class_names, parse_math=False)
    ax.set_yticks(range(len(class_names)), class_names, parse_math=False)
    ax.set(xlabel=word("predicted", language), ylabel=word("true", language))
    return ax
