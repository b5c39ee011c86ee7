"""What a layer knows: tasks for every kind of image, and probes that are trained on the features of each layer."""

from pathlib import Path

import numpy as np
from PIL import Image

from tlhelpers.metrics import linear_probe


def probe_layers(
    features: dict[str, np.ndarray], labels: np.ndarray, *, folds: int = 3, seed: int = 0
) -> dict[str, np.ndarray]:
    """Whether a linear probe on each layer is right on each image, by cross-validation.

    The images are divided into folds, with the classes alike in each. Every image is judged by a probe that was trained
    on the other folds, so that all of them test, and none tests what it has taught.

    Args:
        features: by layer, shape `(n, channels)`.
        labels: shape `(n,)`, integers.
        folds: number of folds, 2 or more.
        seed: of the division.

    Returns:
        By layer, shape `(n,)`, bool.

    Raises:
        ValueError: where a class has fewer images than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    if (scarce := int(np.unique(labels, return_counts=True)[1].min(initial=folds))) < folds:
        raise ValueError(f"expected at least {folds} images of each class for {folds} folds, got one with {scarce}")
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))
    right = {layer: np.zeros(len(labels), bool) for layer in features}
    for layer, values in features.items():
        for train, test in parts:
            found = linear_probe(values[train], labels[train], values[test]).argmax(1)
            right[layer][test] = np.unique(labels[train])[found] == labels[test]
    return right


def change_camera(images: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Change how pictures were taken and not what they show: three tasks that have nothing to do with the content.

    Each picture gets, by the toss of a coin each: a slight blur (a Gaussian of half a pixel, and more where the
    side is above 64 pixels), a tint (red up and blue down by 6 %, or the other way), and slight noise (a standard
    deviation of 4 levels).

    Args:
        images: shape `(n, h, w, 3)`, uint8.
        seed: of the coins and the noise.

    Returns:
        The changed images, uint8, and by task ("blur", "tint", "noise") labels of shape `(n,)`: 1 where it was blurred,
        where red was raised, where noise was added.

    Raises:
        TypeError: for images of another type.
    """
    from scipy.ndimage import gaussian_filter

    if images.dtype != np.uint8:
        raise TypeError(f"expected uint8 images, got {images.dtype}; round them to 8 bits first")
    rng = np.random.default_rng(seed)
    blur, tint, noise = rng.integers(0, 2, (3, len(images)))
    sigma = 0.5 * max(1.0, images.shape[1] / 64)
    out = np.empty_like(images)
    for i, image in enumerate(images):
        pixels = image.astype(np.float32)
        if blur[i]:
            pixels = gaussian_filter(pixels, (sigma, sigma, 0))
        pixels = pixels * (1 + 0.06 * (2 * tint[i] - 1) * np.array((1, 0, -1), np.float32))
        if noise[i]:
            pixels = pixels + 4 * rng.standard_normal(pixels.shape, np.float32)
        out[i] = np.clip(np.rint(pixels), 0, 255)
    return out, {"blur": blur, "tint": tint, "noise": noise}


def shuffle_tiles(images: np.ndarray, tiles: int = 4, *, seed: int = 0) -> np.ndarray:
    """Cut each picture into `tiles` by `tiles` squares and lay them anew at random: same details, another arrangement.

    Args:
        images: shape `(n, side, side, 3)`.
        tiles: squares along a side; it has to divide the side.
        seed: of the arrangement, another one for each picture.

    Raises:
        ValueError: where the pictures are not square, or cannot be divided.
    """
    n, side = images.shape[:2]
    if images.shape[2] != side or tiles < 1 or side % tiles:
        raise ValueError(f"expected square images whose side can be divided by {tiles}, got {images.shape[1:3]}")
    rng, width = np.random.default_rng(seed), side // tiles
    cut = images.reshape(n, tiles, width, tiles, width, 3).swapaxes(2, 3).reshape(n, tiles**2, width, width, 3)
    cut = np.stack([one[rng.permutation(tiles**2)] for one in cut]) if n else cut
    return cut.reshape(n, tiles, tiles, width, width, 3).swapaxes(2, 3).reshape(images.shape)


def keep_frequent(labels: np.ndarray, count: int, *, at_least: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The images of the most frequent classes.

    Args:
        labels: shape `(n,)`, integers.
        count: how many classes to keep, at most.
        at_least: images that a class must have to be kept.

    Returns:
        Places of these images `(m,)`; their labels `(m,)`, counted from 0, the most frequent first; and which class
        each of these numbers was `(count,)`.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    kept = classes[order][sizes[order] >= at_least][:count]
    places = np.flatnonzero(np.isin(labels, kept))
    number = {label: i for i, label in enumerate(kept)}
    return places, np.array([number[label] for label in labels[places]], np.int64), kept


def tiny_imagenet_task(
    folder: Path | None, size: int, *, classes: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray] | None:
    """Validation photos of Tiny ImageNet from a classroom pack: what the embedded network was trained to name.

    Args:
        folder: the pack; None where there is none.
        size: side of the images in pixels; the photos have 64 and are enlarged.
        classes: how many of the 202 classes.
        seed: of the choice of classes.

    Returns:
        Images `(n, size, size, 3)` uint8 and labels `(n,)`, from 0; None where the pack does not have them.
    """
    if folder is None or not (folder / "tiny_imagenet" / "val.npz").exists():
        return None
    from tlhelpers.data.tiny_imagenet import load_tiny_imagenet

    images, labels = load_tiny_imagenet(folder / "tiny_imagenet", "val")
    chosen = np.random.default_rng(seed).choice(np.unique(labels), classes, replace=False)
    keep = np.isin(labels, chosen)
    images, labels = images[keep], np.unique(labels[keep], return_inverse=True)[1]
    return resize(images, size), labels


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """The same pictures at `size` by `size` pixels; as they are where they have that size."""
    if images.shape[1:3] == (size, size):
        return images
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size))) for image in images])


def stored_numbers(classifier) -> int:
    """How many numbers a fitted classifier of scikit-learn needs to answer; four bytes each, as float32.

    Args:
        classifier: logistic regression or another linear one, a support vector machine, nearest neighbours, a
            multilayer perceptron, or a scaler.

    Raises:
        TypeError: for another kind.
    """
    for names in (
        ("support_vectors_", "dual_coef_", "intercept_"),  # before coef_, which a linear SVC computes from these
        ("coef_", "intercept_"),
        ("coefs_", "intercepts_"),
        ("_fit_X", "_y"),
        ("mean_", "scale_"),
    ):
        if all(hasattr(classifier, name) for name in names):
            arrays = (getattr(classifier, name) for name in names)
            return int(sum(sum(a.size for a in x) if isinstance(x, list) else x.size for x in arrays))
    raise TypeError(f"expected a fitted classifier or scaler whose numbers are known, got {type(classifier).__name__}")
