"""How good the frozen backbones are: real photos over three splits, and drawn pets against training from scratch.

python benchmarks/accuracy.py pytorch        (or tensorflow; photos need TLHELPERS_DATA)
"""

import importlib
import json
import os
import sys

import numpy as np

from tlhelpers.data.datasets import Dataset, load_splits
from tlhelpers.metrics import accuracy, linear_probe

SPLITS = (0, 1, 2)


def photos(framework: str, backbone_name: str) -> list[float]:
    """Test accuracy (fractions) on Cats vs Dogs, one per split, of a head trained on frozen features."""
    mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
    mirror.set_seed(0)
    backbone = mirror.load_backbone(backbone_name)
    features: dict[str, np.ndarray] = {}  # by image, so that the splits share one pass of the backbone

    def of(part: Dataset) -> np.ndarray:
        return np.stack([features[name] for name in part.ids])

    found = []
    for seed in SPLITS:
        data = load_splits("cats_vs_dogs", image_size=backbone.input_size, seed=seed, progress=False)
        if not features:
            for part in (data.train, data.val, data.test):
                values = mirror.extract_features(backbone, part.images)
                features.update(zip(part.ids.tolist(), values, strict=True))
        head = mirror.build_head(backbone.feature_size, 2)
        mirror.fit(
            head, of(data.train), data.train.labels, of(data.val), data.val.labels, epochs=40, lr=1e-3,
            weight_decay=1e-2, patience=6, seed=seed, progress=False,
        )  # fmt: skip
        found.append(accuracy(data.test.labels, mirror.predict_proba(head, of(data.test))))
    return found


def drawn_pets(framework: str, labels_a_class: int = 10) -> dict[str, list[float]]:
    """Accuracy (fractions) on drawn pets, one per seed: a probe on mini_resnet, and the same network from scratch."""
    mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
    backbone = mirror.load_backbone("mini_resnet")
    data = load_splits("drawn_pets", image_size=64, progress=False)
    test_features = mirror.extract_features(backbone, data.test.images, progress=False)
    found: dict[str, list[float]] = {"probe": [], "scratch": []}
    for seed in SPLITS:
        few = data.train.per_class(labels_a_class, seed=seed)
        features = mirror.extract_features(backbone, few.images, progress=False)
        found["probe"].append(accuracy(data.test.labels, linear_probe(features, few.labels, test_features)))
        mirror.set_seed(seed)
        model = mirror.build_classifier(mirror.load_backbone("mini_resnet", weights="random"), 2)
        mirror.unfreeze(model, batch_norm=True)
        mirror.fit(
            model, few.images, few.labels, epochs=30, lr=1e-3, batch_size=16, weight_decay=1e-2, schedule="cosine",
            augment=True, seed=seed, progress=False,
        )  # fmt: skip
        found["scratch"].append(accuracy(data.test.labels, mirror.predict_proba(model, data.test.images)))
    return found


def measure(framework: str) -> dict[str, float]:
    """The figures of one framework, as percentages: means over the splits or seeds."""
    pets = {name: 100 * float(np.mean(values)) for name, values in drawn_pets(framework).items()}
    found = {"drawn_pets_probe": pets["probe"], "drawn_pets_gain": pets["probe"] - pets["scratch"]}
    if os.environ.get("TLHELPERS_DATA"):
        for name in ("mini_resnet", "mobilenet"):
            found[f"photos_{name}"] = 100 * float(np.mean(photos(framework, name)))
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
