"""How fast features come, and what computing them once saves.

    python benchmarks/backbones.py pytorch       (or tensorflow)

Ratios of one run: the ways take turns, several repeats, medians.
"""

import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.metrics import accuracy

REPEATS = 5
BATCH = 32


def medians(ways: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """Median seconds of each way; they take turns, after one round of warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def bare_pytorch(backbone, images: np.ndarray) -> dict[str, Callable[[], object]]:
    """Forward passes of the network alone, in every way that could be the fastest; scaled inputs lie ready."""
    import copy

    import torch

    network = copy.deepcopy(backbone.network).eval()
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()
    x = ((x - backbone.mean) / backbone.std).split(BATCH)
    last = [batch.contiguous(memory_format=torch.channels_last) for batch in x]

    def run(forward, batches, dtype=None):
        def way():
            with torch.inference_mode(), torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
                for batch in batches:
                    forward(batch).mean((2, 3))

        return way

    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    network = network.to(memory_format=torch.channels_last)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.freeze(torch.jit.trace(network, last[0], check_trace=False))
    ways = {"default": run(plain, x), "channels last": run(network, last), "traced": run(traced, last)}
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"):
        ways["bfloat16"] = run(network, last, torch.bfloat16)
    return ways


def bare_tensorflow(backbone, images: np.ndarray) -> dict[str, Callable[[], object]]:
    """The same in Keras: `predict`, and a graph."""
    import tensorflow as tf

    x = backbone.scale(tf.constant(images)).numpy()
    batches = [tf.constant(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    graph = tf.function(lambda batch: tf.reduce_mean(backbone.network(batch, training=False), (1, 2)))

    def run_graph():
        for batch in batches:
            graph(batch).numpy()

    return {"predict": lambda: backbone.network.predict(x, batch_size=BATCH, verbose=0), "graph": run_graph}


def measure(framework: str) -> dict[str, float]:
    """Ratios of one framework: `extract_features_rate` (ours over the fastest bare pass), `cached_head` (times)."""
    mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
    mirror.set_seed(0)
    backbone = mirror.load_backbone("mobilenet" if os.environ.get("TLHELPERS_DATA") else "mini_resnet")
    pets = draw_pets(320, seed=0, size=backbone.input_size)

    bare = (bare_pytorch if framework == "pytorch" else bare_tensorflow)(backbone, pets.images)
    ours = {"ours": lambda: mirror.extract_features(backbone, pets.images, cache=False, progress=False)}
    seconds = medians(bare | ours, 3)
    fastest = min(seconds[name] for name in bare)
    rates = {name: round(len(pets.images) / value, 1) for name, value in seconds.items()}
    print(f"images a second: {rates}", file=sys.stderr)

    small, labels = pets.images[:96], pets.species[:96]
    held, held_labels = pets.images[160:], pets.species[160:]
    settings = {"epochs": 10, "lr": 1e-3, "seed": 0, "progress": False}
    results = {}

    def each_epoch():
        mirror.set_seed(0)
        model = mirror.build_classifier(backbone, 2)
        mirror.freeze(model)
        mirror.fit(model, small, labels, **settings)
        results["each epoch"] = model

    def once():
        mirror.set_seed(0)
        head = mirror.build_head(backbone.feature_size, 2)
        features = mirror.extract_features(backbone, small, cache=False, progress=False)
        mirror.fit(head, features, labels, **settings)
        results["once"] = mirror.build_classifier(backbone, head=head)

    times = medians({"each epoch": each_epoch, "once": once}, 2)
    scores = {name: accuracy(held_labels, mirror.predict_proba(model, held)) for name, model in results.items()}
    return {
        "extract_features_rate": fastest / seconds["ours"],
        "cached_head": times["each epoch"] / times["once"],
        "cached_head_accuracy_difference": 100 * abs(scores["each epoch"] - scores["once"]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
