"""Attacks on classifiers in TensorFlow: projected gradient ascent within a budget, on 8-bit images."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tlhelpers.errors import GradientError
from tlhelpers.legacy.perturbations import AttackPlan, AttackResult, check_gradient_arguments, plan_attack


def attack(
    model: keras.Model,
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
    try:
        bar = tqdm(total=len(found) * steps, unit="step", disable=not progress, leave=False)
        for part in plan.batches(batch_size):
            search = _Search(model, plan, part)
            try:
                search.run(bar)
            finally:
                found[part], after[part], taken[part] = search.outcome()
    except FloatingPointError as error:
        raise GradientError(str(error), plan.result(found, after, taken)) from None
    return plan.result(found, after, taken)


def logit_gradient(
    model: keras.Model,
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
    out = np.empty(images.shape, np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        image = tf.constant(images[part])
        with tf.GradientTape() as tape:
            tape.watch(image)
            logits = tf.gather(tf.cast(model(image, training=False), tf.float32), classes[part], batch_dims=1)
        out[part] = 255 * tape.gradient(logits, image).numpy()
    return out


class _Search:
    """One batch under attack. `alive` numbers the images that are still worked on; `now` holds them, in levels."""

    def __init__(self, model: keras.Model, plan: AttackPlan, part: slice):
        self.plan, self.first = plan, part.start
        self.graphs = _graphs(model, plan.norm)
        self.sign = tf.constant(1.0 if plan.targets is None else -1.0)  # away from the label, or towards the target
        self.radius = tf.constant(plan.radius, tf.float32)
        arrays = (plan.start(part), plan.originals[part], plan.aims[part], plan.low[part], plan.high[part])
        self.now, self.original, self.aim, self.low, self.high = map(tf.constant, arrays)
        self.best, self.after = plan.originals[part].copy(), np.full(len(self.aim), -1)
        self.taken = np.zeros(len(self.aim), np.int64)
        self.best_score = np.full(len(self.aim), -np.inf, np.float32)
        self.alive = np.arange(len(self.aim))

    def run(self, bar: tqdm) -> None:
        """All steps, and a look at where the last one led."""
        if self.plan.early_stop:
            logits, _ = self.graphs.judge(self.original, self.aim, self.sign)
            self.after[:] = tf.argmax(logits, 1).numpy()
            self.keep(~self.reached(self.after))
        for size in self.plan.step_sizes:
            if not len(self.alive):
                break
            image, logits, loss, finite, now = self.graphs.step(
                self.now, self.original, self.aim, self.low, self.high, self.radius, self.sign, tf.constant(size)
            )
            self.check(finite.numpy())
            predicted = tf.argmax(logits, 1).numpy()
            self.note(image, predicted, loss)
            self.taken[self.alive] += 1
            bar.update(len(self.alive))
            self.now = now
            if self.plan.early_stop:
                self.keep(~self.reached(predicted))
        if len(self.alive):
            image = self.graphs.rounded(self.now, self.original, self.radius)
            logits, loss = self.graphs.judge(image, self.aim, self.sign)
            self.note(image, tf.argmax(logits, 1).numpy(), loss, last=True)

    def outcome(self) -> tuple[np.ndarray, ...]:
        """Best images in levels, their classes, steps."""
        return self.best, self.after, self.taken

    def reached(self, predicted: np.ndarray) -> np.ndarray:
        """Which images are taken for what was wanted."""
        return (predicted == self.aim.numpy()) == (self.plan.targets is not None)

    def keep(self, mask: np.ndarray) -> None:
        """Go on with these images alone."""
        if not mask.all():
            self.alive, rows = self.alive[mask], np.flatnonzero(mask)
            for name in ("now", "original", "aim", "low", "high"):
                setattr(self, name, tf.gather(getattr(self, name), rows))

    def note(self, image: tf.Tensor, predicted: np.ndarray, loss: tf.Tensor, last: bool = False) -> None:
        """Keep what reached its aim and, without an early stop, what is more convincing than all before."""
        reached = self.reached(predicted)
        if self.plan.early_stop:
            kept = np.ones_like(reached) if last else reached
            at = self.alive[kept]
            self.best[at], self.after[at] = image.numpy()[kept], predicted[kept]
            return
        score = np.where(reached, loss.numpy() + 1e4, loss.numpy())  # what reached its aim beats what did not
        better = score > self.best_score
        self.best[better], self.after[better] = image.numpy()[better], predicted[better]
        self.best_score[better] = score[better]

    def check(self, finite: np.ndarray) -> None:
        """Stop at a gradient that is not finite."""
        if not finite.all():
            image = self.first + int(self.alive[~finite][0])
            step = int(self.taken[self.alive].max()) + 1
            raise FloatingPointError(
                f"expected finite gradients, got NaN or infinity in step {step} for image {image}; look for NaN among "
                "the model's weights. The last good images are in this error's last_good."
            )


class _Graphs:
    """The steps of an attack as graphs, traced once a model and norm, for batches of any length."""

    def __init__(self, model: keras.Model, norm: str):
        side = model.input_size
        images, classes, number = (
            tf.TensorSpec([None, side, side, 3]),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([]),
        )

        def compiled(function: Callable, *signature: tf.TensorSpec) -> Callable:
            return tf.function(function, input_signature=signature)

        def judge(image, aim, sign):
            logits = tf.cast(model(image, training=False), tf.float32)
            return logits, sign * tf.nn.sparse_softmax_cross_entropy_with_logits(aim, logits)

        def step(now, original, aim, low, high, radius, sign, size):
            image = _rounded(now, original, radius, norm)
            with tf.GradientTape() as tape:
                tape.watch(image)
                logits, loss = judge(image, aim, sign)
            gradient = tape.gradient(loss, image)
            finite = tf.reduce_all(tf.math.is_finite(gradient), (1, 2, 3))
            if norm == "linf":
                now += size * tf.sign(gradient)
            else:
                now += size * gradient / tf.maximum(_length(gradient), 1e-12)
                now = original + (now - original) * tf.minimum(1.0, radius / tf.maximum(_length(now - original), 1e-12))
            return image, logits, loss, finite, tf.minimum(tf.maximum(now, low), high)

        self.judge = compiled(judge, images, classes, number)
        self.step = compiled(step, images, images, classes, images, images, number, number, number)
        self.rounded = compiled(
            lambda now, original, radius: _rounded(now, original, radius, norm), images, images, number
        )


def _graphs(model: keras.Model, norm: str) -> _Graphs:
    if not hasattr(model, "_attack_graphs"):
        model._attack_graphs = {}
    if norm not in model._attack_graphs:
        model._attack_graphs[norm] = _Graphs(model, norm)
    return model._attack_graphs[norm]


def _rounded(now: tf.Tensor, original: tf.Tensor, radius: tf.Tensor, norm: str) -> tf.Tensor:
    """Images on whole levels, still within the budget."""
    image = tf.round(now)
    if norm == "linf":  # its bounds are whole levels
        return image
    shorter = now
    for _ in range(4):
        length = _length(image - original)
        shorter = original + (shorter - original) * tf.where(length > radius, 0.999 * radius / length, 1.0)
        image = tf.round(shorter)
    change = shorter - original
    towards_zero = original + tf.sign(change) * tf.floor(tf.abs(change))  # no value moves further: always within
    return tf.where(_length(image - original) > radius, towards_zero, image)


def _length(change: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(change), (1, 2, 3), keepdims=True))
