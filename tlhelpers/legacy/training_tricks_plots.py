"""Figures about training tricks, in the manner of `tlhelpers.plots`."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from tlhelpers.plots import COLOURS, LINES, MARKERS, tidy

DPI = 64  # of lines and letters: still sharp enough, and notebooks stay small

_WORDS = {
    "accuracy": ("Validation accuracy (%)", "Exactitud de validación (%)"),
    "depth": ("Hidden layers", "Capas ocultas"),
    "difference": ("Difference in accuracy (points)", "Diferencia de exactitud (puntos)"),
    "draws": ("Draws (%)", "Sorteos (%)"),
    "epoch": ("Epoch", "Época"),
    "gradient": ("Gradient (root mean square)", "Gradiente (media cuadrática)"),
    "gradient norm": ("Norm of the gradient", "Norma del gradiente"),
    "gradient scale": ("Size of the gradients", "Tamaño de los gradientes"),
    "initial": ("First weights, in units of He's", "Pesos iniciales, en unidades de He"),
    "inputs": ("Inputs n", "Entradas n"),
    "layer": ("Hidden layer", "Capa oculta"),
    "loss": ("Loss (nats)", "Pérdida (nats)"),
    "output": ("Output (root mean square)", "Salida (media cuadrática)"),
    "rate": ("Learning rate", "Tasa de aprendizaje"),
    "share": ("Weight left (% of the first)", "Peso que queda (% del inicial)"),
    "strength": ("Strength λ", "Intensidad λ"),
    "spread": ("Spread of the output", "Dispersión de la salida"),
    "start": ("start", "inicio"),
    "minimum": ("minimum", "mínimo"),
    "step": ("Step", "Paso"),
    "step length": ("Length of the step, in learning rates", "Longitud del paso, en tasas de aprendizaje"),
    "training loss": ("Training loss (nats)", "Pérdida de entrenamiento (nats)"),
    "validation loss": ("Validation loss (nats)", "Pérdida de validación (nats)"),
    "w1": ("Weight $w_1$", "Peso $w_1$"),
    "w2": ("Weight $w_2$", "Peso $w_2$"),
}


def word(key: str, language: str) -> str:
    """A label of these figures in a language, "en" or "es"."""
    return _WORDS[key][("en", "es").index(language)]


def new_panels(columns: int = 2, *, share: bool = False) -> np.ndarray | Axes:
    """Axes side by side, or one alone; small, since a lesson has many figures.

    Args:
        columns: panels in the row.
        share: whether they share the vertical axis.
    """
    width = 6.0 if columns == 1 else 4.2 * columns
    return plt.subplots(1, columns, figsize=(width, 3.2), sharey=share, layout="constrained", dpi=DPI)[1]


def plot_curves(
    x: Sequence[float],
    curves: Mapping[str, np.ndarray],
    labels: tuple[str, str],
    *,
    log: str = "",
    legend: bool = True,
    language: str = "en",
    ax: Axes | None = None,
) -> Axes:
    """Lines over `x`, one a name; of several networks the mean, and a band from the lowest to the highest.

    Args:
        x: shape `(k,)`.
        curves: by name `(k,)`, or `(networks, k)`; what is not finite is left out.
        labels: keys of the words for the two axes.
        log: axes with a logarithmic scale: "", "x", "y" or "xy".
        legend: whether to name the lines.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_panels(1) if ax is None else ax
    for k, (name, values) in enumerate(curves.items()):
        values = np.atleast_2d(np.asarray(values, float))
        values = np.where(np.isfinite(values), values, np.nan)
        every = max(1, len(x) // 8)
        ax.plot(x, values.mean(0), LINES[k % 7], color=COLOURS[k % 7], marker=MARKERS[k % 7], markevery=every,
                markersize=5, label=name)  # fmt: skip
        if len(values) > 1:
            ax.fill_between(x, values.min(0), values.max(0), color=COLOURS[k % 7], alpha=0.15, linewidth=0)
    ax.set(xlabel=word(labels[0], language), ylabel=word(labels[1], language))
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    tidy(ax)
    if legend:
        ax.legend(frameon=False, fontsize=9)
    return ax


def plot_paths(
    paths: Mapping[str, np.ndarray],
    loss: Callable[[np.ndarray], np.ndarray],
    *,
    columns: int = 3,
    limit: float = 1.3,
    language: str = "en",
) -> np.ndarray:
    """The way of each optimizer over the map of a loss of two weights; a panel each.

    Args:
        paths: by name `(steps + 1, 2)`.
        loss: gives for weights `(..., 2)` the loss `(...)`; its minimum is at 0.
        columns: panels in a row.
        limit: how far the map reaches from the minimum.
        language: of the labels.
    """
    rows = -(-len(paths) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3 * columns, 2.5 * rows), squeeze=False, sharex=True,
                                sharey=True, layout="constrained", dpi=DPI)  # fmt: skip
    w = np.linspace(-limit, limit, 81)
    height = loss(np.stack(np.meshgrid(w, w), -1))
    for k, (ax, (name, path)) in enumerate(zip(axes.flat, paths.items(), strict=False)):
        ax.contour(w, w, height, levels=np.geomspace(1e-3, height.max(), 12), colors="#BBBBBB", linewidths=0.7)
        ax.plot(*path.T, "-", color=COLOURS[k], marker=".", markersize=4, linewidth=1)
        ax.plot(*path[0], "s", color="black", markersize=5, label=word("start", language))
        ax.plot(0, 0, "*", color="black", markersize=9, label=word("minimum", language))
        ax.set(title=name, xlim=(-limit, limit), ylim=(-limit, limit))
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel(word("w2", language))
    for ax in axes.flat[len(paths) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(0, len(paths) - columns) : len(paths)]:  # the lowest of each column
        ax.set_xlabel(word("w1", language))
        ax.tick_params(labelbottom=True)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return axes


def plot_luck(draws: Mapping[str, np.ndarray], *, language: str = "en", ax: Axes | None = None) -> Axes:
    """How estimates of one difference scatter, as histograms.

    Args:
        draws: by name, differences of accuracies as fractions, shape `(n,)`.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_panels(1) if ax is None else ax
    points = {name: 100 * np.asarray(values) for name, values in draws.items()}
    together = np.concatenate(list(points.values()))
    bins = np.linspace(together.min(), together.max(), 30)
    for k, (name, values) in enumerate(points.items()):
        share = np.full(len(values), 100 / len(values))
        ax.hist(values, bins, weights=share, histtype="step", color=COLOURS[k], linestyle=LINES[k], linewidth=1.8,
                label=name)  # fmt: skip
    ax.axvline(0, color="#666666", linewidth=1, linestyle=":")
    ax.set(xlabel=word("difference", language), ylabel=word("draws", language))
    tidy(ax)
    ax.legend(frameon=False, fontsize=9)
    return ax


def plot_arrows(arrows: Mapping[str, np.ndarray], *, ax: Axes | None = None) -> Axes:
    """Vectors of two entries from the origin, each with its name and a circle of length 1 around them."""
    ax = plt.subplots(figsize=(4.6, 3.4), layout="constrained", dpi=DPI)[1] if ax is None else ax
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), ":", color="#888888", linewidth=1)
    for k, (name, (a, b)) in enumerate(arrows.items()):
        ax.plot([0, a], [0, b], LINES[k], color=COLOURS[k], linewidth=2)
        ax.plot(a, b, MARKERS[k], color=COLOURS[k], label=name)
    far = 1.15 * max(1, *(np.abs(v).max() for v in arrows.values()))
    ax.set(xlim=(-0.15 * far, far), ylim=(-0.15 * far, far), xlabel="$g_1$", ylabel="$g_2$", aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9, loc="upper right")
    return ax
