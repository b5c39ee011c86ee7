"""The same images through both frameworks, each in a process of its own: the features are the same."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets

SCRIPT = """
import importlib, sys
import numpy as np
framework, name, images, out = sys.argv[1:]
mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
backbone = mirror.load_backbone(name, precision="float32")
np.save(out, mirror.extract_features(backbone, np.load(images), cache=False))
"""


def features(framework: str, name: str, images: Path, out: Path) -> np.ndarray:
    subprocess.run([sys.executable, "-c", SCRIPT, framework, name, str(images), str(out)], check=True, timeout=300)
    return np.load(out)


@pytest.mark.parametrize(("name", "size"), [("mini_resnet", 64), ("mobilenet", 224)])
def test_frameworks_agree_on_features(name, size, tmp_path):
    for package in ("torch", "tensorflow"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs both frameworks; {package} is not installed")
    if name == "mobilenet" and not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the weights in TLHELPERS_DATA")
    np.save(tmp_path / "images.npy", draw_pets(8, seed=5, size=size).images)
    a, b = (features(f, name, tmp_path / "images.npy", tmp_path / f"{f}.npy") for f in ("pytorch", "tensorflow"))
    assert np.abs(a).max() > 0.1  # not all zero
    assert np.abs(a - b).max() <= 1e-3 * np.abs(a).max()
