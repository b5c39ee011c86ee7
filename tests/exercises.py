"""The checks of a lesson's exercises, taken from its built notebook, and what they answer."""

import json
from pathlib import Path

import yaml

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def read_checks(lesson: str, framework: str, names: dict) -> tuple[dict, dict]:
    """The functions `check_...` of a lesson, and its words by what they say in English.

    Args:
        lesson: Such as `01_cats_vs_dogs`.
        framework: `pytorch` or `tensorflow`.
        names: What the notebook has imported when it comes to them.
    """
    words = yaml.safe_load((NOTEBOOKS / "src" / f"{lesson}.yaml").read_text(encoding="utf-8"))["words"]
    english = {key: texts["en"] for key, texts in words.items()}
    space = names | {"words": english}
    notebook = json.loads((NOTEBOOKS / "en" / f"{lesson}_{framework}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "code" and "folded" in cell["metadata"].get("tags", []) and "def check_" in code:
            exec(code, space)
    return space, {text: key for key, text in english.items()}


def answer_of(printed: str, keys: dict) -> str:
    """The word that a check printed, such as `right`."""
    line = printed.strip().splitlines()[-1][2:]
    return max((key for text, key in keys.items() if line.startswith(text)), key=len)
