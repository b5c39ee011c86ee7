"""Dog to cat on real photos, with lesson 07's own functions: the share of photos that are taken for a tabby cat."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

from tlhelpers.data.datasets import load_splits
from tlhelpers.pytorch.networks import load_network

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "en" / "07_adversarial_cat_pytorch.ipynb"
DOGS, TABBY = slice(151, 269), 281  # of ImageNet's classes


def functions_of(notebook: Path, names: dict) -> dict:
    """All functions that a notebook defines, without the rest of its code."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    for text in texts:
        if not text.startswith("%"):
            parts = [part for part in ast.parse(text).body if isinstance(part, ast.FunctionDef)]
            exec(compile(ast.Module(parts, []), str(notebook), "exec"), names)
    return names


@pytest.mark.slow
def test_four_levels_make_most_dogs_a_tabby_cat(real_data, tmp_path):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    names = {"torch": torch, "nn": nn, "F": F, "v2": v2, "np": np, "load_network": load_network, "device": device}
    lesson = functions_of(NOTEBOOK, names | {"SEED": 0, "STEPS": 1, "ATTACK_STEPS": 10, "IMAGE_SIZE": 224})
    model = lesson["on_pixels"]("efficientnet_lite0")
    photos = load_splits("cats_vs_dogs", image_size=224, progress=False).test
    dogs = photos.images[photos.labels == photos.class_names.index("dog")][:70]
    words = lesson["outputs_of"](model, dogs).argmax(1)
    dogs = dogs[(words >= DOGS.start) & (words < DOGS.stop)][:50]
    assert len(dogs) == 50
    share = {}
    for level in (1, 4):
        attacked = lesson["attack"](model, dogs, np.full(50, TABBY), level, sign=-1)
        for i, image in enumerate(attacked):
            Image.fromarray(image).save(tmp_path / f"{i}.png")
        read_back = np.stack([np.asarray(Image.open(tmp_path / f"{i}.png")) for i in range(50)])
        assert np.abs(read_back.astype(int) - dogs).max() <= level
        share[level] = np.mean(lesson["outputs_of"](model, read_back).argmax(1) == TABBY)
    print(share)
    assert share[4] >= 0.9
    assert share[1] < share[4]
