"""Writes the README's pictures from lesson 07: runs its cells up to the attacked dog, and saves what they made.

docs/images/ideal_cat.jpg and ideal_zebra.jpg, and dog_taken_for_cat.png: the PNG itself, read back, is taken for a cat.
"""

import json
import os
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from tlcourse.source_cells import strip_magics

ROOT = Path(__file__).resolve().parents[1]
LAST = "file_fools"  # the claim of the last cell that is needed


def main() -> None:
    """Runs the cells in their folder, as a kernel would, and prints the probabilities read back from the files."""
    matplotlib.use("Agg")
    os.chdir(ROOT / "notebooks" / "en")
    cells = json.loads(Path("07_adversarial_cat_pytorch.ipynb").read_text(encoding="utf-8"))["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    space: dict = {}
    for code in codes:
        exec(strip_magics(code), space)
        if f'claim("{LAST}"' in code:
            break
    folder = ROOT / "docs" / "images"
    for name, images in (("ideal_cat", space["ideal_cat"]), ("ideal_zebra", space["ideal_zebra"])):
        Image.fromarray(images[0]).save(folder / f"{name}.jpg", quality=90, optimize=True)
    Image.fromarray(space["read_back"][0]).save(folder / "dog_taken_for_cat.png", optimize=True)
    for name in ("ideal_cat.jpg", "ideal_zebra.jpg", "dog_taken_for_cat.png"):
        image = np.asarray(Image.open(folder / name))[None]
        print(name, (folder / name).stat().st_size, space["answers"](space["model"], image))


if __name__ == "__main__":
    main()
