"""A button for a photo of one's own, sliders over results; where there is no browser, they stay out of the way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tlhelpers.errors import UnknownNameError

_WORDS = {
    "en": {"choose": "Choose a photo", "failed": "This file cannot be used:"},
    "es": {"choose": "Elegir una foto", "failed": "Este archivo no se puede usar:"},
}


def ask_for_photo(answer: Callable[[bytes], None], language: str = "en") -> None:
    """Show an upload button; `answer` is called with the bytes of each file, and what it shows appears below.

    The photo stays on the machine that runs the notebook. Where ipywidgets is not installed, a line says so.
    """
    try:
        import ipywidgets
    except ImportError:
        print("pip install ipywidgets")
        return
    from IPython.display import display

    button = ipywidgets.FileUpload(accept="image/*", multiple=False, description=_WORDS[language]["choose"])
    button.layout.width = "14em"
    output = ipywidgets.Output()

    def on_upload(change) -> None:
        output.clear_output(wait=True)
        for file in change["new"]:
            with output:
                try:
                    answer(bytes(file["content"]))
                except Exception as error:  # whatever a stranger's file provokes is told, not raised into the page
                    print(_WORDS[language]["failed"], error)

    button.observe(on_upload, names="value")
    display(button, output)


def explore(
    choices: Mapping[str, Sequence[Any]], plot: Callable[..., Axes], *, start: Mapping[str, Any] | None = None
) -> None:
    """A slider for each choice, and below them a figure that follows them.

    The figure of the start is an ordinary output, so a notebook that was run without a browser keeps it; a slider
    replaces it in place. `plot` should only draw what was computed before, so that it answers at once. Where ipywidgets
    is not installed, the figure stands alone.

    Args:
        choices: by label, the values that a slider offers, in their order.
        plot: called with one value of each choice, in the order of `choices`; returns the axes it drew into.
        start: by label, the value to begin with; else the first.

    Raises:
        UnknownNameError: where `start` names no choice.
        ValueError: for a choice without values, or a start that is none of them.
    """
    start = {label: values[0] for label, values in choices.items() if len(values)} | dict(start or {})
    for label, value in start.items():
        if label not in choices:
            raise UnknownNameError("choice", label, choices)
        if value not in choices[label]:
            raise ValueError(f"expected one of {list(choices[label])} to start {label!r} with, got {value!r}")
    if len(start) != len(choices):
        raise ValueError(f"expected values for each choice, got {dict(choices)}")
    from IPython.display import display

    sliders = _sliders(choices, start)
    if sliders:
        display(*sliders.values())
    shown = display(_figure(plot, start.values()), display_id=True)

    def follow(_) -> None:
        shown.update(_figure(plot, [slider.value for slider in sliders.values()]))

    for slider in sliders.values():
        slider.observe(follow, names="value")


def _sliders(choices: Mapping[str, Sequence[Any]], start: Mapping[str, Any]) -> dict:
    try:
        import ipywidgets
    except ImportError:
        return {}
    sliders = {}
    for label, values in choices.items():
        slider = ipywidgets.SelectionSlider(
            options=[(f"{v:g}" if isinstance(v, float) else str(v), v) for v in values],
            value=start[label], description=label, continuous_update=False,
        )  # fmt: skip
        slider.layout.width, slider.style.description_width = "32em", "12em"
        sliders[label] = slider
    return sliders


def _figure(plot: Callable[..., Axes], values):
    """The figure alone, closed, so that the notebook does not show it a second time by itself."""
    import matplotlib.pyplot as plt

    figure = plot(*values).figure
    plt.close(figure)
    return figure
