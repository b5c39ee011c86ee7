"""The figure of what mistakes cost, in the manner of `tlhelpers.plots`."""

from matplotlib.axes import Axes

from tlhelpers.legacy.mistakes import MistakeTable
from tlhelpers.plots import COLOURS, MARKERS, new_axes

_WORDS = {
    "cost": ("Points of accuracy", "Puntos de exactitud"),
    "lost": ("lost", "perdidos"),
    "illusion": ("reported, but not there", "anunciados, pero inexistentes"),
    "unseen": ("hollow: interval contains zero", "hueco: el intervalo contiene el cero"),
}


def plot_costs(table: MistakeTable, *, ax: Axes | None = None) -> Axes:
    """Costs of all mistakes with their 95 % intervals, a row each; hollow marks where the interval contains zero."""
    ax = new_axes(ax, 7.6, 1.3 + 0.28 * len(table.rows))
    language = ("en", "es").index(table.language)
    for place, row in enumerate(table.rows):
        k = 0 if row.kind == "lost" else 1
        value, low, high = (100 * v for v in (row.cost.value, row.cost.low, row.cost.high))
        ax.errorbar(value, place, xerr=[[max(0, value - low)], [max(0, high - value)]], color=COLOURS[k],
                    marker=MARKERS[k], markerfacecolor=COLOURS[k] if row.visible else "white", capsize=3)  # fmt: skip
    for k, kind in enumerate(("lost", "illusion")):
        ax.plot([], [], color=COLOURS[k], marker=MARKERS[k], linestyle="none", label=_WORDS[kind][language])
    ax.plot([], [], color="#666666", marker="o", markerfacecolor="white", linestyle="none",
            label=_WORDS["unseen"][language])  # fmt: skip
    ax.axvline(0, color="#666666", linewidth=1)
    ax.set_yticks(range(len(table.rows)), [row.name for row in table.rows], fontsize=9)
    ax.set(xlabel=_WORDS["cost"][language], ylim=(len(table.rows) - 0.4, -0.6))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return ax
