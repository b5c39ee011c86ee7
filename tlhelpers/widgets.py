"""A place for a photo of one's own, sliders over results; where there is no browser, they stay out of the way."""

import base64
import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tlhelpers.errors import DatasetError

_WORDS = {
    "en": {
        "choose": "Choose a photo:",
        "reading": "The photo is on its way to the network …",
        "large": "This file is too large, and this browser cannot make it smaller. Save the photo as JPEG.",
        "done": "The answer stands below.",
        "failed": "This file cannot be used:",
    },
    "es": {
        "choose": "Elija una foto:",
        "reading": "La foto va de camino a la red …",
        "large": "Este archivo es demasiado grande y este navegador no puede reducirlo. Guarde la foto como JPEG.",
        "done": "La respuesta está debajo.",
        "failed": "Este archivo no se puede usar:",
    },
}
# Jupyter's server closes its connection at a message of 10 MiB, without a word. So a large photo is made smaller before
# it is sent; networks look at far fewer pixels. What the browser cannot open (HEIC, TIFF) goes as it is, up to 6 MB,
# which as text are 8. The text box is the way to the kernel, which empties it when the answer stands.
_FIELD = """
<label style="font-weight: bold">{choose} <input type="file" accept="image/*,.heic,.heif" onclick="this.value = ''"
onchange="{send}"></label> <progress hidden></progress> <span role="status"></span>
"""
_SEND = """
(async () => {
  const box = this.closest('.tl-photo'), text = box.querySelector('textarea');
  const moving = box.querySelector('progress'), status = box.querySelector('[role=status]');
  if (!this.files.length) return;
  let photo = this.files[0];
  moving.hidden = false;
  status.textContent = WORDS.reading;
  if (photo.size > 2e6) try {
    const picture = await createImageBitmap(photo);
    const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.ceil(picture.width * scale), Math.ceil(picture.height * scale));
    const paper = canvas.getContext('2d');
    paper.fillStyle = 'white';
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.imageSmoothingQuality = 'high';
    paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
    photo = await canvas.convertToBlob({type: 'image/jpeg', quality: 0.95});
  } catch {}
  if (photo.size > 6e6) status.textContent = WORDS.large;
  else {
    text.value = await new Promise((done, failed) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.onerror = failed;
      reader.readAsDataURL(photo);
    });
    text.dispatchEvent(new Event('input', {bubbles: true}));
    while (text.value) await new Promise(done => setTimeout(done, 100));
    status.textContent = WORDS.done;
  }
  moving.hidden = true;
})()
"""


def ask_for_photo(answer: Callable[[bytes], None], language: str = "en") -> None:
    """Show a field for a file; `answer` is called with the bytes of each photo, and what it shows appears below.

    The photo stays on the machine that runs the notebook. Where ipywidgets is not installed, a line says so.
    """
    try:
        import ipywidgets
    except ImportError:
        print("pip install ipywidgets")
        return
    from IPython.display import display

    words = _WORDS[language]
    send = html.escape(_SEND.replace("WORDS", json.dumps(words)))
    text, output = ipywidgets.Textarea(), ipywidgets.Output()
    text.layout.display = "none"

    def on_photo(change) -> None:
        if not change["new"]:
            return
        output.clear_output(wait=True)
        with output:
            try:
                answer(base64.b64decode(change["new"].partition(",")[2]))
            except DatasetError as error:
                print(error)
            except Exception as error:  # whatever a stranger's file provokes is told, not raised into the page
                print(words["failed"], error)
            finally:
                text.value = ""

    text.observe(on_photo, names="value")
    box = ipywidgets.VBox([ipywidgets.HTML(_FIELD.format(choose=words["choose"], send=send)), text, output])
    display(box.add_class("tl-photo"))


def explore(choices: Mapping[str, Sequence[Any]], plot: Callable[..., Axes]) -> None:
    """A slider for each choice, and below them a figure that follows them.

    The figure of the first values is an ordinary output, so a notebook that was run without a browser keeps it; sliders
    replace it in place. `plot` should only draw what was computed before, so that it answers at once. Where ipywidgets
    is not installed, the figure stands alone.

    Args:
        choices: by label, the values that a slider offers, in their order.
        plot: called with one value of each choice, in the order of `choices`; returns the axes it drew into.
    """
    from IPython.display import display

    first = [values[0] for values in choices.values()]
    try:
        import ipywidgets
    except ImportError:
        display(_figure(plot, first), display_id=True)
        return
    sliders = [
        ipywidgets.SelectionSlider(
            options=[(f"{v:g}" if isinstance(v, float) else str(v), v) for v in values],
            description=label, continuous_update=False,
            layout={"width": "32em"}, style={"description_width": "12em"},
        )
        for label, values in choices.items()
    ]  # fmt: skip
    display(*sliders)
    shown = display(_figure(plot, first), display_id=True)

    def follow(_) -> None:
        shown.update(_figure(plot, [slider.value for slider in sliders]))

    for slider in sliders:
        slider.observe(follow, names="value")


def _figure(plot: Callable[..., Axes], values):
    """The figure alone, closed, so that the notebook does not show it a second time by itself."""
    import matplotlib.pyplot as plt

    figure = plot(*values).figure
    plt.close(figure)
    return figure
