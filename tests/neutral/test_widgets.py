"""A field for a photo of one's own; sliders over results that were computed before."""

import base64
import io

import matplotlib
import pytest
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tlhelpers import widgets
from tlhelpers.data.images import prepare_photo

CHOICES = {"depth": ["head", "all"], "rate": (0.001, 0.01)}


class Page:
    """What a notebook would show: widgets, and one figure that may be replaced."""

    def __init__(self):
        self.shown, self.figure, self.replaced = [], None, 0

    def display(self, *objects, display_id=False):
        if not display_id:
            self.shown.extend(objects)
            return None
        (self.figure,) = objects
        return self

    def update(self, figure):
        self.figure, self.replaced = figure, self.replaced + 1


@pytest.fixture
def page(monkeypatch):
    page = Page()
    monkeypatch.setattr("IPython.display.display", page.display)
    return page


def title(depth, rate):
    ax = plt.subplots()[1]
    ax.set_title(f"{depth} {rate}")
    return ax


def read(page):
    return page.figure.axes[0].get_title()


def test_a_slider_replaces_the_figure_in_place(page):
    pytest.importorskip("ipywidgets")
    widgets.explore(CHOICES, title)
    assert read(page) == "head 0.001"
    depth, rate = page.shown
    rate.value = 0.01
    depth.value = "all"
    assert read(page) == "all 0.01"
    assert page.replaced == 2
    assert not plt.get_fignums()  # or the notebook would show each figure twice


def test_without_ipywidgets_the_figure_stands_alone(page, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    widgets.explore(CHOICES, title)
    assert read(page) == "head 0.001"
    assert page.shown == []


def send(page, content: bytes) -> None:
    """What the browser does with a file: a data URL into the text box."""
    text = page.shown[0].children[1]
    text.value = "data:image/jpeg;base64," + base64.b64encode(content).decode() if content else "data:"
    assert text.value == ""  # the browser waits for that


def save(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (90, 60), (200, 30, 30)).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("TIFF", "RGB")])
def test_a_photo_arrives_byte_for_byte_as_often_as_it_is_sent(page, kind, mode):
    pytest.importorskip("ipywidgets")
    arrived = []
    widgets.ask_for_photo(arrived.append)
    content = save(kind, mode)
    send(page, content)
    send(page, content)
    assert arrived == [content, content]


def test_after_what_cannot_be_used_the_next_photo_is_answered(page, capsys):
    pytest.importorskip("ipywidgets")
    widgets.ask_for_photo(lambda photo: print(prepare_photo(photo, 64).shape))
    for content, told in ((b"Dear learner", "not an image"), (b"", "empty"), (save("JPEG"), "(64, 64, 3)")):
        send(page, content)
        assert told in capsys.readouterr().out
    widgets.ask_for_photo(lambda photo: 1 / 0, "es")
    page.shown.pop(0)
    send(page, b"a photo")
    assert "no se puede usar: division by zero" in capsys.readouterr().out
