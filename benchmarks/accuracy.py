"""How good the frozen mini_resnet is on drawn pets, against training from scratch.

python benchmarks/accuracy.py pytorch        (or tensorflow)
"""

import importlib
import json
import sys

import numpy as np

from tlhelpers.data.datasets import load_splits
from tlhelpers.metrics import accuracy, linear_probe

SEEDS = (0, 1, 2)


def drawn_pets(framework: str, labels_a_class: int = 10) -> dict[str, list[float]]:
    """Accuracy (fractions) on drawn pets, one per seed: a probe on mini_resnet, and the same network from scratch."""
    mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
    backbone = mirror.load_backbone("mini_resnet")
    data = load_splits("drawn_pets", image_size=64, progress=False)
    test_features = mirror.extract_features(backbone, data.test.images, progress=False)
    found: dict[str, list[float]] = {"probe": [], "scratch": []}
    for seed in SEEDS:
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
    """The figures of one framework, as percentages: means over the seeds."""
    pets = {name: 100 * float(np.mean(values)) for name, values in drawn_pets(framework).items()}
    return {"drawn_pets_probe": pets["probe"], "drawn_pets_gain": pets["probe"] - pets["scratch"]}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
