"""A button with which learners bring a photo of their own; where there is no browser, it stays out of the way."""

from collections.abc import Callable

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
