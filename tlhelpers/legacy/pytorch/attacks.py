"""Attacks on classifiers in PyTorch: projected gradient ascent within a budget, on 8-bit images."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tlhelpers.errors import GradientError
from tlhelpers.legacy.perturbations import AttackPlan, AttackResult, check_gradient_arguments, plan_attack
from tlhelpers.legacy.pytorch.precision import compute_context


def attack(
    model: nn.Module,
    images: np.ndarray,
    labels: Sequence[int | str] | np.ndarray | int | str,
    *,
    targets: Sequence[int | str] | np.ndarray | int | str | None = None,
    targeted: bool | None = None,
    epsilon: float = 8 / 255,
    norm: str = "linf",
    steps: int = 20,
    step_size: float | None = None,
    random_start: bool = True,
    early_stop: bool = True,
    batch_size: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> AttackResult:
    """Change images a little, so that a classifier errs: projected gradient ascent on the cross-entropy.

    Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR
    2018), eq. 2.1 and section 2.1. With `steps=1, random_start=False` it is the fast gradient sign method of
    Goodfellow, Shlens and Szegedy (ICLR 2015), eq. 1. The network always judges images rounded to 8 bits, so the result
    is what a saved file does; the gradient passes the rounding as if it were not there.

    Args:
        model: a classifier, from `build_classifier` or `load_source_classifier`.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1; floats are rounded to 8 bits first.
        labels: true classes, numbers or (where the model has them) names; one, or one an image.
        targets: classes to aim at, likewise; None for an untargeted attack, unless `targeted` is True.
        targeted: whether to aim at a class; True without `targets` draws one an image, None follows from `targets`.
        epsilon: the budget, a fraction of the range: no value changes by more ("linf"), or the root of the summed
            squared changes is no larger ("l2").
        norm: "linf" or "l2".
        steps: gradient steps at most.
        step_size: in the units of `epsilon`; None for steps that shrink evenly from `epsilon` to `epsilon / steps`,
            which found more than steps of one size did.
        random_start: begin at a random point of the budget.
        early_stop: leave an image as soon as it is taken for what was wanted, also before the first step. Otherwise all
            steps are made, and the most convincing of all images on the way is returned.
        batch_size: images at a time.
        seed: of the random start and of drawn targets.
        progress: show a bar.

    Returns:
        The images and what the classifier says to them; each within 0 to 1 and within its budget.

    Raises:
        ValueError: for images, labels, a budget or steps that make no sense; before any work is done.
        UnknownNameError: for a class that does not exist; also a ValueError.
        TypeError: for a model without a head.
        GradientError: for a gradient that is not finite.
    """
    plan = plan_attack(
        model, images, labels, targets, targeted, epsilon, norm, steps, step_size, random_start, early_stop, seed
    )
    found, after, taken = plan.start_of_results()
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    try:
        with compute_context(model.precision, device):
            bar = tqdm(total=len(found) * steps, unit="step", disable=not progress, leave=False)
            for part in plan.batches(batch_size):
                search = _Search(model, plan, part, device)
                try:
                    search.run(bar)
                finally:
                    found[part], after[part], taken[part] = search.outcome()
    except FloatingPointError as error:
        raise GradientError(str(error), plan.result(found, after, taken)) from None
    finally:
        model.train(was_training)
    return plan.result(found, after, taken)


def logit_gradient(
    model: nn.Module,
    images: np.ndarray,
    classes: Sequence[int | str] | np.ndarray | int | str,
    *,
    batch_size: int = 100,
) -> np.ndarray:
    """How a small change of each value of an image changes the score (logit) of a class.

    Args:
        model: a classifier.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1.
        classes: numbers or (where the model has them) names; one, or one an image.
        batch_size: images at a time.

    Returns:
        `(n, size, size, 3)` float32: change of the logit for a change over the whole range, 0 to 1, of a value.

    Raises:
        ValueError: for images or classes that make no sense.
        TypeError: for a model without a head.
    """
    images, classes = check_gradient_arguments(model, images, classes)
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    out = np.empty(images.shape, np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        image = torch.from_numpy(images[part]).to(device).requires_grad_()
        logits = model(image).gather(1, torch.from_numpy(classes[part, None]).to(device))
        out[part] = 255 * torch.autograd.grad(logits.sum(), image)[0].cpu().numpy()
    model.train(was_training)
    return out


class _Search:
    """One batch under attack. `alive` numbers the images that are still worked on; `now` holds them, in levels."""

    def __init__(self, model: nn.Module, plan: AttackPlan, part: slice, device: torch.device):
        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.model, self.plan, self.first = model, plan, part.start
        self.sign = 1.0 if plan.targets is None else -1.0  # away from the label, or towards the target
        self.original, self.aim = tensor(plan.originals[part]), tensor(plan.aims[part])
        self.low, self.high, self.now = tensor(plan.low[part]), tensor(plan.high[part]), tensor(plan.start(part))
        self.best, self.after = self.original.clone(), torch.full_like(self.aim, -1)
        self.taken = torch.zeros_like(self.aim)
        self.best_score = torch.full(self.aim.shape, -torch.inf, device=device)
        self.alive = torch.arange(len(self.original), device=device)

    def run(self, bar: tqdm) -> None:
        """All steps, and a look at where the last one led."""
        if self.plan.early_stop:
            with torch.no_grad():
                self.after[:] = self.model(self.original).argmax(1)
            self.keep(~self.reached(self.after))
        for size in self.plan.step_sizes:
            if not len(self.alive):
                break
            image = self.rounded().requires_grad_()
            logits = self.model(image)
            loss = self.sign * F.cross_entropy(logits, self.aim, reduction="none")
            (gradient,) = torch.autograd.grad(loss.sum(), image)
            self.check(gradient)
            image = image.detach()
            predicted = logits.detach().argmax(1)
            self.note(image, predicted, loss.detach())
            self.taken[self.alive] += 1
            bar.update(len(self.alive))
            self.step(gradient, float(size))
            if self.plan.early_stop:
                self.keep(~self.reached(predicted))
        if len(self.alive):
            with torch.no_grad():
                image = self.rounded()
                logits = self.model(image)
                loss = self.sign * F.cross_entropy(logits, self.aim, reduction="none")
                self.note(image, logits.argmax(1), loss, last=True)

    def outcome(self) -> tuple[np.ndarray, ...]:
        """Best images in levels, their classes, steps."""
        return tuple(x.cpu().numpy() for x in (self.best, self.after, self.taken))

    def reached(self, predicted: torch.Tensor) -> torch.Tensor:
        """Which images are taken for what was wanted."""
        return (predicted == self.aim) == (self.plan.targets is not None)

    def keep(self, mask: torch.Tensor) -> None:
        """Go on with these images alone."""
        if not mask.all():
            names = ("alive", "now", "original", "aim", "low", "high")
            self.alive, self.now, self.original, self.aim, self.low, self.high = (getattr(self, n)[mask] for n in names)

    def note(self, image: torch.Tensor, predicted: torch.Tensor, loss: torch.Tensor, last: bool = False) -> None:
        """Keep what reached its aim and, without an early stop, what is more convincing than all before."""
        reached = self.reached(predicted)
        if self.plan.early_stop:
            kept = torch.ones_like(reached) if last else reached
            at = self.alive[kept]
            self.best[at], self.after[at] = image[kept], predicted[kept]
            return
        score = torch.where(reached, loss + 1e4, loss)  # what reached its aim beats what did not
        better = score > self.best_score
        self.best = torch.where(better.view(-1, 1, 1, 1), image, self.best)
        self.after, self.best_score = (
            torch.where(better, predicted, self.after),
            torch.where(better, score, self.best_score),
        )

    def check(self, gradient: torch.Tensor) -> None:
        """Stop at a gradient that is not finite."""
        if not gradient.sum().isfinite():
            finite = gradient.isfinite().flatten(1).all(1)
            image = self.first + int(self.alive[~finite][0])
            step = int(self.taken[self.alive].max()) + 1
            raise FloatingPointError(
                f"expected finite gradients, got NaN or infinity in step {step} for image {image}; look for NaN among "
                "the model's weights. The last good images are in this error's last_good."
            )

    def step(self, gradient: torch.Tensor, size: float) -> None:
        """One step up, and back into the budget."""
        if self.plan.norm == "linf":
            self.now.add_(gradient.sign_(), alpha=size)
        else:
            length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)
            self.now.addcdiv_(gradient, length.view(-1, 1, 1, 1), value=size)
            _shrink(self.now, self.original, self.plan.radius)
        torch.clamp(self.now, self.low, self.high, out=self.now)

    def rounded(self) -> torch.Tensor:
        """The images on whole levels, still within the budget."""
        image = self.now.round()
        if self.plan.norm == "linf":  # its bounds are whole levels
            return image
        shorter = self.now.clone()
        for _ in range(4):
            if not (over := _length(image - self.original) > self.plan.radius).any():
                return image
            scale = torch.where(over, 0.999 * self.plan.radius / _length(image - self.original), 1.0)
            shorter = self.original + scale.view(-1, 1, 1, 1) * (shorter - self.original)
            image = shorter.round()
        over = _length(image - self.original) > self.plan.radius
        towards_zero = self.original + (shorter - self.original).trunc()  # no value moves further: always within
        return torch.where(over.view(-1, 1, 1, 1), towards_zero, image)


def _length(change: torch.Tensor) -> torch.Tensor:
    return change.flatten(1).norm(dim=1)


def _shrink(now: torch.Tensor, original: torch.Tensor, radius: float) -> None:
    change = now - original
    scale = (radius / _length(change).clamp_min(1e-12)).clamp_max(1.0)
    torch.add(original, change * scale.view(-1, 1, 1, 1), out=now)
