"""Tables, figures and a budget to play with, for what networks cost; in the manner of `tlhelpers.plots`."""

import html
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tlhelpers.legacy.costs import Cost, on_the_front, within_budget
from tlhelpers.metrics import Estimate
from tlhelpers.plots import COLOURS, MARKERS, new_axes

_WORDS = {
    "network": ("network", "red"),
    "parameters": ("parameters (M)", "parámetros (M)"),
    "multiply_adds": ("mult.-adds (G)", "mult.-sumas (G)"),
    "size_mb": ("size (MB)", "tamaño (MB)"),
    "latency_ms": ("latency (ms)", "latencia (ms)"),
    "images_per_second": ("images/s", "imágenes/s"),
    "top1": ("ImageNet top-1 (%)", "ImageNet top-1 (%)"),
    "accuracy": ("Accuracy (%)", "Exactitud (%)"),
    "latency axis": ("Latency of one image on this machine (ms)", "Latencia de una imagen en este equipo (ms)"),
    "multiply-adds axis": ("Multiply-adds for one image (G)", "Multiplicaciones-sumas por imagen (G)"),
    "unknown": ("accuracy unknown", "exactitud desconocida"),
    "front": ("no other is better and faster", "ninguna otra es mejor y más rápida"),
    "rate": ("{:g} G per second", "{:g} G por segundo"),
    "remains": ("Remains:", "Quedan:"),
    "nothing": ("Nothing fits.", "No cabe ninguna."),
    "latency limit": ("Latency ≤ (ms)", "Latencia ≤ (ms)"),
    "size limit": ("Size ≤ (MB)", "Tamaño ≤ (MB)"),
}


def _word(key: str, language: str) -> str:
    return _WORDS[key][("en", "es").index(language)]


def _number(value: float, digits: int, language: str) -> str:
    """With three digits of meaning or `digits` after the point, and Spain's comma."""
    text = f"{value:,.{0 if value >= 100 else digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "es" else text


def format_costs(costs: Mapping[str, Cost], top1: Mapping[str, float | None], *, language: str = "en") -> str:
    """A table as text, a network a line; an unknown accuracy stays blank.

    Args:
        costs: by name.
        top1: by name, published accuracy as a fraction, or None.
        language: of the headings and numbers.
    """
    columns = ("network", "parameters", "multiply_adds", "size_mb", "latency_ms", "images_per_second", "top1")
    rows = [[_word(column, language) for column in columns]]
    for name, cost in costs.items():
        numbers = ((cost.parameters / 1e6, 1), (cost.multiply_adds / 1e9, 2), (cost.size_mb, 1), (cost.latency_ms, 1),
                   (cost.images_per_second, 1))  # fmt: skip
        known = top1.get(name)
        last = "" if known is None else _number(100 * known, 1, language)
        rows.append([name, *(_number(value, digits, language) for value, digits in numbers), last])
    widths = [max(len(row[k]) for row in rows) for k in range(len(columns))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def plot_latency_over_multiply_adds(costs: Mapping[str, Cost], *, language: str = "en", ax: Axes | None = None) -> Axes:
    """Measured latency against counted work, both logarithmic; along a line the work is done equally fast."""
    ax = new_axes(ax, 6.4, 4.0)
    work = np.array([cost.multiply_adds / 1e9 for cost in costs.values()])
    latency = np.array([cost.latency_ms for cost in costs.values()])
    rates = 1000 * work / latency  # G a second
    ends = np.array([work.min() / 12, work.max() * 4])
    for rate, line in zip(sorted({float(f"{r:.1g}") for r in (rates.min(), rates.max())}), (":", "-."), strict=False):
        label = _word("rate", language).format(rate)
        ax.plot(ends, 1000 * ends / rate, line, color="#888888", linewidth=1, label=label)
    for k, (name, x, y) in enumerate(zip(costs, work, latency, strict=True)):
        ax.plot(x, y, linestyle="none", color=COLOURS[k % len(COLOURS)], marker=MARKERS[k % len(MARKERS)])
        _label(ax, name, x, y, "upper left" if rates[k] < np.median(rates) else "lower right")
    ax.set(xscale="log", yscale="log", xlabel=_word("multiply-adds axis", language), xlim=ends,
           ylabel=_word("latency axis", language), ylim=(latency.min() / 1.8, latency.max() * 1.8))  # fmt: skip
    _plain_ticks(ax.xaxis, ax.yaxis)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    return ax


def plot_accuracy_over_cost(
    costs: Mapping[str, Cost],
    accuracies: Mapping[str, float | Estimate | None],
    *,
    ylabel: str | None = None,
    language: str = "en",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy over latency; networks that no other beats are joined, those of unknown accuracy stand at the foot.

    Args:
        costs: by name.
        accuracies: by name, a fraction, an estimate with its interval, or None.
        ylabel: of the accuracy; None for the plain word.
        language: of the labels.
        ax: where to draw.
    """
    ax = new_axes(ax, 6.4, 4.0)
    values = {name: getattr(a, "value", a) for name, a in accuracies.items()}
    front = sorted(on_the_front(costs, values), key=lambda name: costs[name].latency_ms)
    known = [100 * value for name, value in values.items() if value is not None and name in costs]
    spread = max(max(known, default=0) - min(known, default=0), 2.0)
    foot = min(known, default=0) - 0.35 * spread
    unknown = 0
    if front:
        ax.plot([costs[n].latency_ms for n in front], [100 * values[n] for n in front], "--", color="#888888",
                linewidth=1, label=_word("front", language))  # fmt: skip
    for k, (name, cost) in enumerate(costs.items()):
        style = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)], "linestyle": "none"}
        accuracy, y = accuracies.get(name), values.get(name)
        if y is None:
            ax.plot(cost.latency_ms, foot, **style, fillstyle="none")
        elif isinstance(accuracy, Estimate):
            below, above = 100 * (y - accuracy.low), 100 * (accuracy.high - y)
            ax.errorbar(cost.latency_ms, 100 * y, yerr=[[below], [above]], capsize=4, **style)
        else:
            ax.plot(cost.latency_ms, 100 * y, **style)
        if y is None:
            unknown += 1
            _label(ax, name, cost.latency_ms, foot, "upper right" if unknown % 2 else "lower right")
        else:
            _label(ax, name, cost.latency_ms, 100 * y)
    if any(values.get(name) is None for name in costs):
        ax.axhline(foot + 0.12 * spread, color="#CCCCCC", linewidth=0.8)
        ax.text(0.995, foot + 0.13 * spread, _word("unknown", language), transform=ax.get_yaxis_transform(),
                fontsize=8, color="#666666", ha="right", va="bottom")  # fmt: skip
    latencies = [cost.latency_ms for cost in costs.values()]
    ax.set(xscale="log", xlabel=_word("latency axis", language), ylabel=ylabel or _word("accuracy", language),
           xlim=(min(latencies) / 1.5, max(latencies) * 3))  # fmt: skip
    _plain_ticks(ax.xaxis)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    if front:
        ax.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return ax


def _plain_ticks(*axes) -> None:
    """Numbers such as 0.1 and 200 on logarithmic axes, in place of powers."""
    for axis in axes:
        low, high = axis.get_view_interval()
        subs = (1.0, 2.0, 5.0) if high / low < 1e4 else (1.0,)  # more would run into each other
        axis.set_major_locator(LogLocator(subs=subs, numticks=8))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _label(ax: Axes, name: str, x: float, y: float, where: str = "upper right") -> None:
    up, right = where.startswith("upper"), where.endswith("right")
    ax.annotate(name, (x, y), xytext=(6 if right else -6, 3 if up else -3), textcoords="offset points", fontsize=8,
                ha="left" if right else "right", va="bottom" if up else "top")  # fmt: skip


def explore_budget(costs: Mapping[str, Cost], top1: Mapping[str, float | None], *, language: str = "en"):
    """Two sliders, for milliseconds and megabytes, and the networks that remain, the most accurate first.

    Nothing is computed anew. Where ipywidgets is not installed a line says so; without a kernel nothing is shown.

    Returns:
        The box of both sliders and the answer; None without ipywidgets.
    """
    try:
        import ipywidgets
    except ImportError:
        print("pip install ipywidgets")
        return None
    from IPython.display import display

    def make_slider(key: str, values: list[float]):
        low, high = np.log10(min(values)) - 0.05, np.log10(max(values)) + 0.05
        return ipywidgets.FloatLogSlider(
            value=10**high, min=low, max=high, step=0.02, description=_word(key, language), readout_format=".1f",
            style={"description_width": "9em"}, layout={"width": "32em"},
        )  # fmt: skip

    latency = make_slider("latency limit", [cost.latency_ms for cost in costs.values()])
    size = make_slider("size limit", [cost.size_mb for cost in costs.values()])
    answer = ipywidgets.HTML()

    def show(_=None) -> None:
        names = within_budget(costs, latency_ms=latency.value, size_mb=size.value)
        names.sort(key=lambda name: -(top1.get(name) or 0))
        shown = [f"{name} ({_number(100 * top1[name], 1, language)} %)" if top1.get(name) else name for name in names]
        text = f"{_word('remains', language)} {', '.join(shown)}" if shown else _word("nothing", language)
        answer.value = html.escape(text)

    latency.observe(show, names="value")
    size.observe(show, names="value")
    show()
    box = ipywidgets.VBox([latency, size, answer])
    display(box)
    return box
