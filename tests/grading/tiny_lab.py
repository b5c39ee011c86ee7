"""A tiny lab whose images tell their breed, and notebooks made on the spot."""

import json
from pathlib import Path

import nbformat
import numpy as np
import yaml

BREEDS = ["Abyssinian", "Beagle", "Birman", "Boxer"]
SPECIES = ["cat", "dog", "cat", "dog"]
IMAGES = 24
DEFINITION = {
    "name": "tiny",
    "title": {"en": "Tiny lab", "es": "Laboratorio mínimo"},
    "datasets": ["drawn_pets_breeds"],
    "image_size": {"drawn_pets_breeds": 8},
    "tasks": [
        {
            "id": "balance", "title": {"en": "Balance", "es": "Equilibrio"}, "points": 1, "kind": "function",
            "function": "class_balance", "cases": "class_balance",
        },
        {
            "id": "final", "title": {"en": "Predictions", "es": "Predicciones"}, "points": 3, "kind": "predictions",
            "file": "predictions.csv", "measure": "top1", "steps": {"drawn_pets_breeds": [[0.6, 1], [0.9, 3]]},
        },
    ],
}  # fmt: skip
# The images of this lab tell their breed: the first pixel is its index. So a notebook can be right, or a little right.
SOLVED_FUNCTION = "def class_balance(labels, num_classes):\n    return np.bincount(labels, minlength=num_classes)"
SOLVED_PREDICTIONS = """
import csv, json, os
import numpy as np
folder, out = os.environ["TLHELPERS_LAB_DATA"], os.environ["TLHELPERS_LAB_OUT"]
hidden, about = np.load(folder + "/hidden.npz"), json.load(open(folder + "/classes.json"))
with open(out + "/predictions.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "first", "second", "third", "species"])
    for name, image in zip(hidden["ids"], hidden["images"]):
        order = [(int(image[0, 0, 0]) + step) % 4 for step in range(3)]
        writer.writerow([name, *(about["breeds"][i] for i in order), about["species"][order[0]]])
"""


def write_lab(folder: Path, definition: dict = DEFINITION) -> Path:
    """Writes a lab as `prepare_lab` would."""
    data = folder / "data"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % len(BREEDS)
    images = rng.integers(0, 256, (IMAGES, 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = labels
    ids = np.array([rng.bytes(8).hex() for _ in range(IMAGES)])
    for part in ("train", "val"):
        np.savez(data / f"{part}.npz", images=images, labels=labels)
    np.savez(data / "hidden.npz", images=images, ids=ids)
    about = {"breeds": BREEDS, "species": SPECIES, "dataset": "drawn_pets_breeds", "image_size": 8}
    (data / "classes.json").write_text(json.dumps(about))
    (folder / "labels.json").write_text(json.dumps(dict(zip(ids.tolist(), labels.tolist(), strict=True))))
    settings = {"dataset": "drawn_pets_breeds", "image_size": 8, "key": "12345678" * 4}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "definition.yaml").write_text(yaml.safe_dump(definition))
    return folder


def make_notebook(
    *cells: str, function: str | None = SOLVED_FUNCTION, language: str = "en", framework: str | None = None
) -> bytes:
    """A notebook as a file's content: the function's cell, then cells."""
    node = nbformat.v4.new_notebook()
    node.metadata["tlhelpers"] = {"lesson": "tiny", "language": language, "framework": framework}
    node.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    if function is not None:
        marked = {"grade_id": "balance", "grade": False, "solution": True, "locked": False, "schema_version": 3}
        source = f"import numpy as np\n{function}"
        node.cells.insert(0, nbformat.v4.new_code_cell(source, metadata={"nbgrader": marked}))
    return nbformat.writes(node).encode()
