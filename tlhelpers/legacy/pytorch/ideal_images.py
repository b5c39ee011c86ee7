"""Images that a classifier in PyTorch takes for a class, made from noise."""

import numpy as np
import torch
from torch import nn
from tqdm.auto import trange

from tlhelpers.errors import GradientError
from tlhelpers.legacy.ideal_images import COLOUR_DIRECTIONS, Climb, IdealImage, IdealPlan, plan_ideal_image
from tlhelpers.legacy.pytorch.features import predict_proba
from tlhelpers.legacy.pytorch.precision import compute_context


def ideal_image(
    model: nn.Module,
    target: int | str,
    *,
    steps: int = 256,
    lr: float = 0.05,
    objective: str = "logit",
    total_variation: float = 50.0,
    jitter: int = 4,
    fourier: bool = True,
    frames: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> IdealImage:
    """Climb the score of a class from noise: what does the network take for the most typical image of the class?

    The image is the sigmoid of what is optimised, so that it stays in 0 to 1. With `fourier` that is its spectrum, each
    frequency weighted as it occurs in photos, in decorrelated colours; otherwise its pixels. Erhan, Bengio, Courville
    and Vincent, "Visualizing higher-layer features of a deep network" (2009); Olah, Mordvintsev and Schubert, "Feature
    visualization" (Distill, 2017), whose remedies against noise these are.

    Args:
        model: a classifier, from `load_source_classifier` or `build_classifier`.
        target: the class, a number or (where the model has them) a name.
        steps: of the optimiser (Adam).
        lr: its learning rate.
        objective: "logit", the class's score before the softmax, or "probability", the logarithm of its probability,
            which can also be raised by lowering the other classes.
        total_variation: weight of the mean difference between neighbouring pixels, which punishes noise; 0 for none.
        jitter: largest random shift before each step, in pixels; 0 for none.
        fourier: optimise the spectrum instead of the pixels.
        frames: pictures to keep of the way, ever further apart, at most.
        seed: of the noise and the shifts.
        progress: show a bar.

    Returns:
        The image, the terms of the loss step by step, and pictures of the way.

    Raises:
        UnknownNameError: for a class or objective that does not exist; also a ValueError.
        ValueError: for arguments that make no sense; before any work is done.
        TypeError: for a model without a head.
        GradientError: for a gradient that is not finite; `last_good` is the result up to the step before.
    """
    plan = plan_ideal_image(model, target, steps, lr, objective, total_variation, jitter, fourier, frames, seed)
    device, was_training = next(model.parameters()).device, model.training
    painter = _Painter(plan).to(device)
    optimizer, climb = torch.optim.Adam(painter.parameters(), lr), Climb(plan, [], [])
    model.eval()
    try:
        with compute_context(model.precision, device):
            for step in trange(steps, unit="step", disable=not progress, leave=False):
                image = painter()
                if step in plan.frame_steps:
                    climb.frames.append(_eight_bit(image))
                shifted = torch.roll(image, tuple(plan.shifts[step].tolist()), (0, 1))
                logits = model(shifted[None] * 255)[0]
                score = logits[plan.target] if objective == "logit" else logits.log_softmax(0)[plan.target]
                variation = _total_variation(image)
                loss = -score + total_variation * variation
                gradient = torch.autograd.grad(loss, painter.noise)[0]
                if not (score.isfinite() and gradient.isfinite().all()):
                    raise FloatingPointError(step + 1)
                painter.noise.grad = gradient
                optimizer.step()
                climb.note(score.item(), variation.item(), logits.softmax(0)[plan.target].item())
            climb.frames.append(_eight_bit(painter()))
    except FloatingPointError as error:
        raise GradientError(*climb.broken_off(int(str(error)))) from None
    finally:
        model.train(was_training)
    return climb.result(float(predict_proba(model, climb.frames[-1][None])[0, plan.target]))


class _Painter(nn.Module):
    """The image, `(size, size, 3)` in 0 to 1, from the noise that is optimised."""

    def __init__(self, plan: IdealPlan):
        super().__init__()
        self.size, self.fourier = plan.size, plan.fourier
        self.noise = nn.Parameter(torch.from_numpy(plan.start))
        self.register_buffer("scale", torch.from_numpy(plan.spectrum_scale()))
        self.register_buffer("colours", torch.from_numpy(COLOUR_DIRECTIONS.T.copy()))

    def forward(self) -> torch.Tensor:
        x = self.noise
        if self.fourier:
            spectrum = torch.complex(x[0] * self.scale, x[1] * self.scale)
            x = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho").permute(1, 2, 0) @ self.colours
        return torch.sigmoid(x)


def _total_variation(image: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference between neighbours, down and across (Rudin, Osher and Fatemi, 1992)."""
    return (image[1:] - image[:-1]).abs().mean() + (image[:, 1:] - image[:, :-1]).abs().mean()


def _eight_bit(image: torch.Tensor) -> np.ndarray:
    return (image.detach() * 255).round().byte().cpu().numpy()
