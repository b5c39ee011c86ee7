"""Train an embedded backbone on Tiny ImageNet and write its weights and its model card: `tlcourse pretrain`."""

import dataclasses
import json
import math
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tlcourse.model_card import model_card
from tlcourse.tiny_imagenet import load_tiny_imagenet
from tlhelpers.errors import UnknownNameError
from tlhelpers.pytorch.mini_resnet import MiniResNet
from tlhelpers.weights import MINI_RESNET_WIDTHS

# Of ImageNet's photos, on a scale of 0 to 255: what the weights' transforms take away, and divide by.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@dataclasses.dataclass(frozen=True)
class Phase:
    """Epochs that share an image size and an augmentation.

    Small images come first, since they cost less; so network and resolution grow sharp together. The last phase has
    the size of the test images, and no label smoothing, which costs transfer (Kornblith et al., NeurIPS 2021).
    """

    epochs: int
    pixels: int
    smallest_crop: float  # fraction of the image's area
    label_smoothing: float


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a training run depends on; the model card prints it."""

    phases: tuple[Phase, ...] = (Phase(9, 40, 0.35, 0.1), Phase(6, 48, 0.6, 0.0), Phase(5, 64, 0.6, 0.0))
    batch_size: int = 128
    lr: float = 0.2
    warmup_epochs: float = 1.5
    momentum: float = 0.9
    weight_decay: float = 5e-4
    grey_probability: float = 0.1
    seed: int = 0


RECIPES = {
    "mini_resnet": Recipe(),
    # A second opinion: half as wide, other random numbers, a shorter training.
    "mini_resnet_narrow": Recipe(
        (Phase(7, 40, 0.35, 0.1), Phase(4, 48, 0.6, 0.0), Phase(5, 64, 0.6, 0.0)), weight_decay=2e-4, seed=1
    ),
}


def _scale(images: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def _augment(x: torch.Tensor, phase: Phase, grey_probability: float, rng) -> torch.Tensor:
    """Random resized crop and flip as one affine sampling, then contrast, brightness and some grey images."""
    n, pixels = len(x), phase.pixels
    side = np.sqrt(rng.uniform(phase.smallest_crop, 1.0, n))
    ratio = np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), n) / 2)
    half_w, half_h = np.minimum(side * ratio, 1), np.minimum(side / ratio, 1)
    theta = np.zeros((n, 2, 3), np.float32)
    theta[:, 0, 0] = half_w * rng.choice([-1, 1], n)
    theta[:, 1, 1] = half_h
    theta[:, 0, 2] = rng.uniform(-1, 1, n) * (1 - half_w)
    theta[:, 1, 2] = rng.uniform(-1, 1, n) * (1 - half_h)
    grid = F.affine_grid(torch.from_numpy(theta).to(x.device), (n, 3, pixels, pixels), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def per_image(values):
        return torch.as_tensor(np.asarray(values, np.float32), device=x.device).view(n, 1, 1, 1)

    x = x * per_image(rng.uniform(0.7, 1.3, n)) + per_image(rng.uniform(-0.3, 0.3, n))
    grey = per_image(rng.random(n) < grey_probability)
    x = x + grey * (x.mean(1, keepdim=True) - x)
    return x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def top1(model: nn.Module, images: np.ndarray, labels: np.ndarray, device: str) -> float:
    """Share of right answers, as a fraction."""
    model.eval()
    right = 0
    for i in range(0, len(images), 256):
        logits = model(_scale(images[i : i + 256]).to(device, memory_format=torch.channels_last))
        right += int((logits.argmax(1).cpu().numpy() == labels[i : i + 256]).sum())
    return right / len(images)


def pretrain(
    data: Path, out: Path, recipe: Recipe | None = None, compile_model: bool = False, name: str = "mini_resnet"
) -> dict:
    """Train on `data` and leave the weights, `NAME.safetensors`, and their model card, `NAME.md`, in `out`.

    A checkpoint is kept in `out` after each epoch; a second call continues from it. `name` is one of `RECIPES`, whose
    recipe is used unless another is given.

    Returns:
        Recipe, history of the epochs, top-1 on the validation images (fraction), and what else the card tells.
    """
    if name not in RECIPES:
        raise UnknownNameError("embedded backbone", name, RECIPES)
    recipe = recipe or RECIPES[name]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(recipe.seed)
    x_train, y_train = load_tiny_imagenet(data, "train")
    x_val, y_val = load_tiny_imagenet(data, "val")
    names = [line.split("\t") for line in (Path(data) / "classes.tsv").read_text().splitlines()]

    model = MiniResNet(len(names), MINI_RESNET_WIDTHS[name]).to(device, memory_format=torch.channels_last)
    runner = torch.compile(model) if compile_model else model
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)
    epochs = [phase for phase in recipe.phases for _ in range(phase.epochs)]
    steps = len(x_train) // recipe.batch_size
    total, warmup = steps * len(epochs), recipe.warmup_epochs * steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(1.0, s / total))))
    )
    history: list[dict] = []
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history = state["history"]

    for epoch in range(len(history), len(epochs)):
        phase = epochs[epoch]
        rng = np.random.default_rng((recipe.seed, epoch))  # so that a resumed run draws what an unbroken one would
        started, losses = time.perf_counter(), 0.0
        order = rng.permutation(len(x_train))
        model.train()
        for step in tqdm(range(steps), desc=f"epoch {epoch + 1}/{len(epochs)}, {phase.pixels} px", mininterval=30):
            pick = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            x = _augment(_scale(x_train[pick]).to(device), phase, recipe.grey_probability, rng)
            y = torch.from_numpy(y_train[pick]).to(device)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                logits = runner(x)
            loss = F.cross_entropy(logits.float(), y, label_smoothing=phase.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item()
        accuracy = top1(model, x_val, y_val, device)
        history.append({"epoch": epoch + 1, "pixels": phase.pixels, "loss": losses / steps, "val_top1": accuracy,
                        "seconds": time.perf_counter() - started})  # fmt: skip
        print(json.dumps(history[-1]), flush=True)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
                 "history": history}  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".tmp"))
        os.replace(checkpoint.with_suffix(".tmp"), checkpoint)

    result = {"name": name, "width": MINI_RESNET_WIDTHS[name], "recipe": dataclasses.asdict(recipe),
              "history": history, "val_top1": history[-1]["val_top1"],
              "train_images": len(x_train), "val_images": len(x_val), "classes": names, "torch": torch.__version__,
              "machine": f"{platform.machine()}, {device}, {torch.get_num_threads()} threads"}  # fmt: skip
    _save(model, out / f"{name}.safetensors", result)
    (out / f"{name}.md").write_text(model_card(result))
    return result


def _save(model: MiniResNet, path: Path, result: dict) -> None:
    """Convolutions and head as float16, to keep the file small; BatchNorm stays float32, since it is tiny."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if "num_batches_tracked" in name:
            continue
        kind = torch.float16 if tensor.ndim > 1 else torch.float32
        tensors[name] = tensor.to("cpu", kind).contiguous()
    metadata = {"val_top1": str(result["val_top1"]), "classes": json.dumps(result["classes"])}
    save_file(tensors, path.with_suffix(".tmp"), metadata=metadata)
    path.with_suffix(".tmp").chmod(0o644)  # safetensors writes for its owner only
    os.replace(path.with_suffix(".tmp"), path)
