"""A figure's alternative text is the italic caption in the prose that follows it."""

from markdown_it import MarkdownIt

from tlcourse.notebook_files import text_of


def give_captions(notebook: dict) -> list[int]:
    """Writes each figure's caption beside it: for MyST-NB into the cell's metadata, for nbconvert into the output's.

    Args:
        notebook: A notebook with its outputs; it is changed.

    Returns:
        The places of cells whose figures have no caption.
    """
    caption, without = "", []
    for place, cell in reversed(list(enumerate(notebook["cells"]))):
        if cell["cell_type"] == "markdown":
            caption = read_caption(text_of(cell))
            continue
        figures = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        if figures and not caption:
            without.append(place)
        for output in figures:
            output["metadata"]["image/png"] = output["metadata"].get("image/png", {}) | {"alt": caption}
            cell["metadata"].setdefault("mystnb", {})["image"] = {"alt": caption}
    return without[::-1]


def read_caption(text: str) -> str:
    """The words in italics with which a text begins, without Markdown; empty where it begins otherwise."""
    tokens = MarkdownIt().parse(text)[:2]
    words = tokens[1].children if len(tokens) > 1 and tokens[0].type == "paragraph_open" else []
    words = [word for word in words if word.content or word.type != "text"]
    if not words or words[0].type != "em_open":
        return ""
    end = next(place for place, word in enumerate(words) if word.type == "em_close")
    return "".join(" " if word.type == "softbreak" else word.content for word in words[:end])
