"""Attacks on `mini_resnet`: success on real photos, speed against the bare gradient step, and against two peers.

    TLHELPERS_DATA=... python -m benchmarks.attacks pytorch      # or tensorflow

The peers, torchattacks and foolbox, run in PyTorch on the same model, images, budget and steps; both are left out where
they are not installed (benchmarks/peers.txt says how).
"""

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.backbones import medians
from tlhelpers.data.tiny_imagenet import load_tiny_imagenet
from tlhelpers.legacy.perturbations import draw_targets

PHOTOS = 100
# name of the figure: targeted, budget in levels, steps
ATTACKS = {
    "targeted_8": (True, 8, 40),
    "targeted_4": (True, 4, 40),
    "untargeted_4": (False, 4, 20),
    "untargeted_2": (False, 2, 20),
}
SPEED_STEPS = 20


def right_photos(mirror, model) -> tuple[np.ndarray, np.ndarray]:
    """The first 100, in a fixed random order, of the validation photos that the model gets right: images and labels."""
    images, labels = load_tiny_imagenet(Path(os.environ["TLHELPERS_DATA"]) / "tiny_imagenet", "val")
    order = np.random.default_rng(0).permutation(len(labels))[: 4 * PHOTOS]
    images, labels = images[order], labels[order]
    right = np.flatnonzero(mirror.predict_proba(model, images).argmax(1) == labels)[:PHOTOS]
    return images[right], labels[right]


def success(mirror, model, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Success of `attack` in percent, as the saved 8-bit images are judged, by figure."""
    found = {}
    for name, (targeted, level, steps) in ATTACKS.items():
        targets = draw_targets(labels, model.num_classes) if targeted else None
        result = mirror.attack(model, images, labels, targets=targets, epsilon=level / 255, steps=steps)
        said = mirror.predict_proba(model, result.images).argmax(1)
        found[name] = 100 * float((said == targets if targeted else said != labels).mean())
    return found


def bare_pytorch(model, images, labels) -> Callable[[], object]:
    """Forward and backward pass down to the image, nothing else."""
    import torch
    from torch.nn import functional as F

    x, y = torch.from_numpy(images).float(), torch.from_numpy(labels)

    def run():
        for _ in range(SPEED_STEPS):
            image = x.detach().requires_grad_()
            torch.autograd.grad(F.cross_entropy(model(image), y), image)

    return run


def bare_tensorflow(model, images, labels) -> Callable[[], object]:
    """A `GradientTape` step as a graph, nothing else."""
    import tensorflow as tf

    x, y = tf.constant(images, tf.float32), tf.constant(labels)

    @tf.function
    def step(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(image, training=False))
        return tape.gradient(loss, image)

    def run():
        for _ in range(SPEED_STEPS):
            step(x).numpy()

    return run


def peers(model) -> dict[str, Callable]:
    """By name, functions of NHWC uint8 images, labels, targets or None, level and steps that give NHWC uint8 images."""
    if any(importlib.util.find_spec(name) is None for name in ("torchattacks", "foolbox")):
        return {}
    import foolbox
    import torch
    import torchattacks

    class Channels(torch.nn.Module):  # both peers want (n, 3, h, w) in 0 to 1
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(255 * x.permute(0, 2, 3, 1))

    wrapped = Channels().eval()

    def tensors(images, labels, targets):
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        return x, torch.from_numpy(labels), None if targets is None else torch.from_numpy(targets)

    def eight_bit(x):
        return (x.detach() * 255).round().byte().permute(0, 2, 3, 1).numpy()

    def by_torchattacks(images, labels, targets, level, steps):
        x, y, t = tensors(images, labels, targets)
        pgd = torchattacks.PGD(wrapped, eps=level / 255, alpha=2.5 * level / 255 / steps, steps=steps)
        if t is not None:
            pgd.set_mode_targeted_by_label(quiet=True)
        return eight_bit(pgd(x, y if t is None else t))

    def by_foolbox(images, labels, targets, level, steps):
        x, y, t = tensors(images, labels, targets)
        criterion = (
            foolbox.criteria.Misclassification(y) if t is None else foolbox.criteria.TargetedMisclassification(t)
        )
        pgd = foolbox.attacks.LinfPGD(abs_stepsize=2.5 * level / 255 / steps, steps=steps)
        _, clipped, _ = pgd(foolbox.PyTorchModel(wrapped, bounds=(0, 1)), x, criterion, epsilons=[level / 255])
        return eight_bit(clipped[0])

    return {"torchattacks": by_torchattacks, "foolbox": by_foolbox}


def against_peers(mirror, model, images, labels, ours: dict[str, float]) -> dict[str, float]:
    """By how many points `attack` is below a peer at most, and how much faster than the faster one it is."""
    found = peers(model)
    below = []
    for peer, run in found.items():
        for name, (targeted, level, steps) in ATTACKS.items():
            targets = draw_targets(labels, model.num_classes) if targeted else None
            said = mirror.predict_proba(model, run(images, labels, targets, level, steps)).argmax(1)
            rate = 100 * float((said == targets if targeted else said != labels).mean())
            print(f"{peer} {name}: {rate:.0f} %, ours {ours[name]:.0f} %", file=sys.stderr)
            below.append(rate - ours[name])
    if not found:
        return {}
    actions = {peer: lambda run=run: run(images, labels, None, 4, SPEED_STEPS) for peer, run in found.items()}
    seconds = medians({"ours": lambda: full_attack(mirror, model, images, labels)} | actions, 3)
    print(f"seconds: {seconds}", file=sys.stderr)
    return {
        "attack_below_peers": max(below),
        "attack_speed_peers": min(seconds[peer] for peer in found) / seconds["ours"],
    }


def full_attack(mirror, model, images, labels):
    """All steps on all images."""
    return mirror.attack(model, images, labels, epsilon=4 / 255, steps=SPEED_STEPS, early_stop=False)


def measure(framework: str) -> dict[str, float]:
    """All figures of one framework: success in percent, ratios of speed."""
    mirror = importlib.import_module(f"tlhelpers.legacy.{framework}")
    model = mirror.load_source_classifier("mini_resnet")
    images, labels = right_photos(mirror, model)
    found = {f"attack_{name}": value for name, value in success(mirror, model, images, labels).items()}
    bare = (bare_pytorch if framework == "pytorch" else bare_tensorflow)(model, images, labels)
    seconds = medians({"bare": bare, "ours": lambda: full_attack(mirror, model, images, labels)}, 5)
    found["attack_rate"] = seconds["bare"] / seconds["ours"]
    if framework == "pytorch":
        ours = {name: found[f"attack_{name}"] for name in ATTACKS}
        found |= against_peers(mirror, model, images, labels, ours)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
