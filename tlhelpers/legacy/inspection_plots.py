"""Figures of what the layers of a network hold. Sizes in inches; labels in the language that is given."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tlhelpers.metrics import Estimate
from tlhelpers.plots import COLOURS, IMAGE_DPI, LINES, MARKERS, new_axes, plt, show_images, tidy, word

_PLOT_DPI = 80  # of figures with several panels, which would make notebooks large

_WORDS = {
    "layer": ("Layer, from the image inwards", "Capa, desde la imagen hacia dentro"),
    "cka": ("Linear CKA (1: unchanged)", "CKA lineal (1: sin cambios)"),
    "others": ("other classes", "otras clases"),
}


def _word(key: str, language: str) -> str:
    return _WORDS[key][("en", "es").index(language)]


def show_filters(filters: np.ndarray, *, columns: int = 16, side: float = 0.5) -> np.ndarray:
    """Filters as small pictures: grey is 0, brighter is more, darker less, colour by colour.

    Args:
        filters: shape `(n, h, w, 3)`, float, of any range; each is scaled by itself.
        columns: filters in a row.
        side: of a filter.
    """
    strongest = np.abs(filters).max((1, 2, 3), keepdims=True)
    return show_images(0.5 + 0.5 * filters / np.where(strongest > 0, strongest, 1), columns=columns, side=side)


def show_patches(patches: dict[str, Sequence[np.ndarray]], *, side: float = 0.5) -> np.ndarray:
    """Parts of pictures that excite channels most: a row a layer, a group a channel.

    Args:
        patches: by layer, a list over channels of arrays `(top, s, s, 3)`, uint8.
        side: of a patch as shown.
    """
    groups, top = len(next(iter(patches.values()))), len(next(iter(patches.values()))[0])
    figure = plt.figure(figsize=(groups * top * side + 1.3, len(patches) * (side + 0.1)), layout="constrained",
                        dpi=IMAGE_DPI)  # fmt: skip
    ratios = ([1.0] * top + [0.35]) * groups  # a gap after each channel
    axes = figure.subplots(len(patches), len(ratios), squeeze=False, gridspec_kw={"width_ratios": ratios})
    for row, (layer, channels) in zip(axes, patches.items(), strict=True):
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for group, pictures in enumerate(channels):
            for k, picture in enumerate(pictures):
                row[group * (top + 1) + k].imshow(picture, interpolation="nearest")
        height, width = channels[0].shape[1:3]
        row[0].set_ylabel(f"{layer}\n{height}×{width}", rotation=0, ha="right", va="center", fontsize=9)
    return axes


def plot_over_depth(
    panels: dict[str, dict[str, Sequence[Estimate]]],
    layers: Sequence[str],
    *,
    chance: dict[str, float],
    language: str = "en",
) -> np.ndarray:
    """Accuracy of probes over the layers of a network, a panel a task, with 95 % intervals.

    Args:
        panels: by task, by network, an estimate for each layer.
        layers: names of the layers, from the image inwards.
        chance: by task, what always naming the most frequent class gives, as a fraction.
        language: of the labels.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.1 * columns, 2.5 * rows + 0.3), squeeze=False, sharex=True,
                                layout="constrained", dpi=_PLOT_DPI)  # fmt: skip
    for ax, (task, curves) in zip(axes.flat, panels.items(), strict=False):
        for k, (name, estimates) in enumerate(curves.items()):
            values = 100 * np.array([(e.value, e.value - e.low, e.high - e.value) for e in estimates]).T
            ax.errorbar(range(len(layers)), values[0], values[1:], linestyle=LINES[k], color=COLOURS[k],
                        marker=MARKERS[k], markersize=5, capsize=2, label=name)  # fmt: skip
        ax.axhline(100 * chance[task], color="#666666", linewidth=1, linestyle=":")
        ax.text(0, 100 * chance[task] + 1, word("chance", language), color="#666666", fontsize=8, va="bottom")
        ax.set_title(task, fontsize=10)
        ax.set_xticks(range(len(layers)), layers, rotation=20 if max(map(len, layers)) > 7 else 0, fontsize=8)
        ax.set_ylim(None, 102)
        tidy(ax)
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    axes.flat[0].legend(frameon=False, fontsize=8)
    figure.supxlabel(_word("layer", language), fontsize=10)
    figure.supylabel(word("accuracy", language), fontsize=10)
    return axes


def plot_similarity(
    curves: dict[str, Sequence[float]], layers: Sequence[str], *, language: str = "en", ax: Axes | None = None
) -> Axes:
    """Linear CKA of each layer with something else, over the layers: a curve a comparison."""
    ax = new_axes(ax, 6.4, 3.4)
    for k, (name, values) in enumerate(curves.items()):
        ax.plot(range(len(layers)), values, LINES[k], color=COLOURS[k], marker=MARKERS[k], label=name)
    ax.set_xticks(range(len(layers)), layers, rotation=20 if max(map(len, layers)) > 7 else 0)
    ax.set(xlabel=_word("layer", language), ylabel=_word("cka", language), ylim=(-0.03, 1.05))
    tidy(ax)
    ax.legend(frameon=False, fontsize=9)
    return ax


def show_activation_maps(
    images: np.ndarray, maps: np.ndarray, titles: Sequence[str], *, columns: int = 6, side: float = 1.1
) -> np.ndarray:
    """Pictures with their class activation maps laid over them: dark where nothing speaks for the class,
    with a line around what is stronger than half of the strongest.

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        maps: shape `(n, h, w)`, 0 to 1.
        titles: one a picture.
        columns: pictures in a row.
        side: of a picture.
    """
    dimmed = np.clip(images * (0.3 + 0.7 * maps[..., None]), 0, 255).astype(np.uint8)
    axes = show_images(dimmed, titles, columns=columns, side=side)
    for ax, one in zip(axes.flat, maps, strict=False):
        if one.max() > 0.5 > one.min():  # else there is no such line
            ax.contour(one, levels=[0.5], colors="white", linewidths=1.4)
            ax.contour(one, levels=[0.5], colors="black", linewidths=0.7)
    return axes


def plot_embeddings(
    panels: dict[str, np.ndarray],
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    highlighted: Sequence[int],
    columns: int = 2,
    language: str = "en",
) -> np.ndarray:
    """Images as points in two dimensions, a panel a map of them.

    Args:
        panels: by title, points of shape `(n, 2)`.
        labels: shape `(n,)`, integers.
        class_names: one name a class.
        highlighted: classes that are shown in colour, at most as many as there are colours; the rest are grey.
        columns: panels in a row.
        language: of the legend.
    """
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 3.0 * rows + 0.5), squeeze=False,
                                layout="constrained", dpi=_PLOT_DPI)  # fmt: skip
    rest = ~np.isin(labels, highlighted)
    for ax, (title, points) in zip(axes.flat, panels.items(), strict=False):
        ax.scatter(*points[rest].T, s=6, color="#CCCCCC", marker=".")
        for k, label in enumerate(highlighted):
            ax.scatter(*points[labels == label].T, s=20, color=COLOURS[k], marker=MARKERS[k], linewidths=0)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=10)
    handles = [
        Line2D([], [], linestyle="none", color=COLOURS[k], marker=MARKERS[k], label=class_names[label])
        for k, label in enumerate(highlighted)
    ]
    if rest.any():
        handles.append(Line2D([], [], linestyle="none", color="#CCCCCC", marker=".", label=_word("others", language)))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return axes
