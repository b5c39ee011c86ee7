"""Figures on a GPU: one training step and one forward pass of the course against the bare loop, images a second.

    python benchmarks/gpu.py > results/gpu.json

PyTorch only. The bare figures have their pixels on the device already, in `channels_last`, with and without bfloat16.
The course's figures come from `predict` and `train_epoch` as lessons call them, with a `DataLoader` that prepares them.
"""

import json
import platform
import statistics
import time

import numpy as np
import torch
from torch import optim
from torch.nn import functional as F
from torch.utils.data import DataLoader

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.training import train_epoch

REPEATS = 3


def seconds(call, device):
    """Median seconds of a call, after one that is not counted."""
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def bare_forward(network, pixels, half):
    """A forward pass over pixels that are on the device already."""
    with torch.inference_mode(), torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
        return network(pixels)


def bare_step(network, optimizer, pixels, labels, half):
    """A training step of the framework's documentation, over pixels that are on the device already."""
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
        loss = F.cross_entropy(network(pixels), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def measure(name, device, batch, count):
    """Images a second of one network: bare and as the lessons do it."""
    torch.manual_seed(0)
    network, prepare = load_network(name, pretrained=not name.startswith("resnet"))
    replace_head(network, 2)
    network.to(device, memory_format=torch.channels_last)
    pets = draw_pets(64, seed=0, size=224)
    some = np.tile(pets.images, (count // 64, 1, 1, 1))
    labels = np.tile(pets.species, count // 64)
    loader = DataLoader(ImageDataset(some, labels, prepare), batch)
    workers = DataLoader(ImageDataset(some, labels, prepare), batch, num_workers=8, persistent_workers=True)
    pixels, targets = (part.to(device) for part in next(iter(loader)))
    pixels = pixels.to(memory_format=torch.channels_last)
    prepared = DataLoader([(x, y) for x, y in zip(pixels.cpu(), targets.cpu(), strict=True)], batch)
    optimizer = optim.AdamW(network.parameters(), lr=1e-4)
    rates = {}
    network.eval()
    for half in (False, True):
        key = "bfloat16" if half else "float32"
        rates[f"bare forward, {key}"] = batch / seconds(lambda: bare_forward(network, pixels, half), device)  # noqa: B023
    rates["predict, one process prepares"] = count / seconds(lambda: predict(network, loader), device)
    rates["predict, eight processes prepare"] = count / seconds(lambda: predict(network, workers), device)
    network.train()
    for half in (False, True):
        key = "bfloat16" if half else "float32"
        step = lambda: bare_step(network, optimizer, pixels, targets, half)  # noqa: B023, E731
        rates[f"bare training step, {key}"] = batch / seconds(step, device)
    rates["train_epoch, pixels prepared"] = batch / seconds(lambda: train_epoch(network, prepared, optimizer), device)
    rates["train_epoch, eight processes prepare"] = count / seconds(
        lambda: train_epoch(network, workers, optimizer), device
    )
    return {what: round(rate, 1) for what, rate in rates.items()}


def main():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch, count = (256, 1024) if device.type == "cuda" else (16, 64)
    known = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    found = {"device": known, "torch": torch.__version__, "batch": batch, "images": count}
    found["images a second"] = {
        name: measure(name, device, batch, count) for name in ("efficientnet_lite0", "resnet50")
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
