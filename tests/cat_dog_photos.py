"""Lesson 01's networks for a photo of one's own, as its notebook defines them, on photos new to the heads."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tlhelpers.data.datasets import load_splits
from tlhelpers.weights import CAT_DOG_SIZES

BOUNDS = {"mini_resnet": 0.80, "efficientnet_lite0": 0.98}


def read_loader(framework: str, names: dict):
    """The function `load_photo_network` of lesson 01's notebook; `names` is what earlier cells have defined."""
    notebook = Path(__file__).resolve().parents[1] / f"notebooks/en/01_cats_vs_dogs_{framework}.ipynb"
    cells = ("".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    exec(next(code for code in cells if "def load_photo_network" in code), names)
    return names["load_photo_network"]


def check_share_right(name: str, load_photo_network) -> None:
    """The share of the 400 photos kept for testing that a network with its shipped head names rightly."""
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos in TLHELPERS_DATA")
    photos = load_splits("cats_vs_dogs", image_size=CAT_DOG_SIZES[name], test_fraction=0.25, progress=False).test
    right = np.mean(load_photo_network(name)(photos.images).argmax(1) == photos.labels)
    assert right >= BOUNDS[name]


def check_real_cat(load_photo_network) -> None:
    """Chelsea, from scikit-image, is a cat to the larger network, so the classes stand in the right order."""
    from skimage import data

    from tlhelpers.data.images import prepare

    probabilities = load_photo_network("efficientnet_lite0")(prepare(data.chelsea(), 224)[None])
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert probabilities[0, 0] > 0.9
