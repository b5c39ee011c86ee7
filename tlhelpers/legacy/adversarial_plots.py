"""Figures about attacks and ideal images, in the manner of `tlhelpers.plots`."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from tlhelpers.legacy.perturbations import AttackResult
from tlhelpers.metrics import Estimate
from tlhelpers.plots import COLOURS, IMAGE_DPI, LINES, MARKERS, new_axes, tidy

_WORDS = {
    "attacked": ("attacked network", "red atacada"),
    "judging": ("judging network", "red que juzga"),
    "original": ("original", "original"),
    "perturbation": ("perturbation × {:g}", "perturbación × {:g}"),
    "result": ("result", "resultado"),
    "success": ("Success of the attack (%)", "Éxito del ataque (%)"),
    "budget": ("Budget ε (levels of 255)", "Presupuesto ε (niveles de 255)"),
    "steps": ("Step", "Paso"),
    "score": ("Score (logit)", "Puntuación (logit)"),
    "total_variation": ("Total variation", "Variación total"),
    "probability": ("Probability (%)", "Probabilidad (%)"),
}


def _word(key: str, language: str) -> str:
    return _WORDS[key][("en", "es").index(language)]


def show_attack(
    result: AttackResult, titles: Sequence[tuple[str, str]], *, amplify: float = 10, language: str = "en"
) -> np.ndarray:
    """Original, perturbation and result side by side, one row an image.

    Args:
        result: from `attack`.
        titles: for each image what stands below original and result, such as a class and its probability.
        amplify: factor by which the perturbation is shown larger than it is; grey is no change.
        language: of the labels.
    """
    rows = len(result.images)
    axes = plt.subplots(rows, 3, figsize=(6.6, 2.5 * rows), squeeze=False, layout="constrained", dpi=IMAGE_DPI)[1]
    shown = np.clip(0.5 + amplify * result.perturbation, 0, 1)
    for row, original, change, image, (before, after) in zip(
        axes, result.originals, shown, result.images, titles, strict=True
    ):
        heads = [_word(key, language).format(amplify) for key in ("original", "perturbation", "result")]
        for ax, picture, head, below in zip(row, (original, change, image), heads, (before, "", after), strict=True):
            ax.imshow(picture, interpolation="nearest")
            ax.set_title(head, fontsize=10)
            ax.set(xticks=[], yticks=[], xlabel=below)
    return axes


def plot_success_curve(
    epsilons: Sequence[float], curves: dict[str, list[Estimate]], *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """Success of attacks over the budget, one curve a method, with 95 % intervals.

    Args:
        epsilons: budgets as fractions of the range; shown in levels of 255.
        curves: by name, one estimate a budget.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax)
    x = 255 * np.array(epsilons)
    for k, (name, estimates) in enumerate(curves.items()):
        value, low, high = (100 * np.array([getattr(e, part) for e in estimates]) for part in ("value", "low", "high"))
        moved = x * 1.03 ** (k - (len(curves) - 1) / 2)  # so that intervals do not hide one another
        ax.errorbar(moved, value, yerr=[value - low, high - value], color=COLOURS[k], marker=MARKERS[k],
                    linestyle=LINES[k], capsize=3, label=name)  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xticks(x, [f"{v:g}" for v in np.round(x, 2)])
    ax.minorticks_off()
    ax.set(xlabel=_word("budget", language), ylabel=_word("success", language), ylim=(-3, 103))
    tidy(ax)
    ax.legend(frameon=False)
    return ax


def plot_transfer_matrix(shares: np.ndarray, names: Sequence[str], *, language: str = "en") -> Axes:
    """Share of images that fool each network (columns), made by attacking each network (rows); fractions."""
    side = 1.9 + 0.95 * len(names)
    ax = new_axes(None, side + 0.8, side)
    ax.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        ax.text(column, row, f"{share:.0%}", ha="center", va="center", color="white" if share > 0.5 else "black")
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=_word("judging", language), ylabel=_word("attacked", language))
    return ax


def plot_loss_terms(histories: dict[str, dict[str, np.ndarray]], *, language: str = "en") -> np.ndarray:
    """Score, total variation and probability of ideal images over the steps, one line an image.

    Args:
        histories: by name, `IdealImage.history`.
        language: of the labels.
    """
    terms = ("score", "total_variation", "probability")
    axes = plt.subplots(1, len(terms), figsize=(9.4, 3.3), layout="constrained")[1]
    for ax, term in zip(axes, terms, strict=True):
        for k, (name, history) in enumerate(histories.items()):
            values = history[term] * (100 if term == "probability" else 1)
            steps = np.arange(1, len(values) + 1)
            ax.plot(steps, values, LINES[k], color=COLOURS[k], marker=MARKERS[k], markevery=0.25, markersize=4,
                    label=name)  # fmt: skip
        ax.set(xlabel=_word("steps", language), ylabel=_word(term, language))
        tidy(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return axes
