"""Makes the heads that tell cats from dogs on real photos: tlhelpers/weights/cat_dog_*.safetensors.

    TLHELPERS_DATA=PACK .venv/bin/python scripts/cat_dog_heads.py

A head is one linear layer on the features of a frozen network: a logistic regression on three quarters of the pack's
photos of Cats vs Dogs. The others, 200 of each class in the small pack, take no part in it; how many of them the head
gets right goes into the file, with what it has learnt from. The same photos give the same file.
"""

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch.utils.data import DataLoader

from tlhelpers import metrics
from tlhelpers.data.datasets import load_splits
from tlhelpers.data.splits import Dataset
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.weights import CAT_DOG_SIZES, cat_dog_head_file

KEPT_FOR_TESTING = 0.25


def choose_simplest(results: dict) -> int:
    """The strongest regularisation whose loss is within a standard error of the best (Breiman et al., CART, 1984)."""
    mean, error = results["mean_test_score"], results["std_test_score"] / np.sqrt(5)
    best = mean.argmax()
    return int(np.argmax(mean >= mean[best] - error[best]))


def make_head(name: str, size: int) -> None:
    """Trains the head of one network, measures it, writes its file and says what came out."""
    data = load_splits("cats_vs_dogs", image_size=size, seed=0, test_fraction=KEPT_FOR_TESTING, progress=False)
    network, prepare = load_network(name)
    replace_head(network, 0)

    def features_of(part: Dataset) -> np.ndarray:
        return predict(network, DataLoader(ImageDataset(part.images, part.labels, prepare), batch_size=32))

    x = np.concatenate([features_of(data.train), features_of(data.val)])
    y = np.concatenate([data.train.labels, data.val.labels])
    strengths = {"C": [0.001, 0.01, 0.1, 1]}
    model = LogisticRegression(max_iter=5000)
    search = GridSearchCV(model, strengths, cv=5, scoring="neg_log_loss", refit=choose_simplest).fit(x, y)
    fitted = search.best_estimator_
    right = metrics.wilson_interval(np.mean(fitted.predict(features_of(data.test)) == data.test.labels), len(data.test))
    head = {  # one score decides; halved, with both signs, it makes the two that `softmax` and a linear layer expect
        "weight": np.concatenate([-fitted.coef_, fitted.coef_]).astype(np.float32) / 2,
        "bias": np.concatenate([-fitted.intercept_, fitted.intercept_]).astype(np.float32) / 2,
    }
    about = {
        "classes": ",".join(data.train.class_names),
        "photos": str(len(y)),
        "test_photos": str(len(data.test)),
        "accuracy": f"{right.value:.4f}",
        "low": f"{right.low:.4f}",
        "high": f"{right.high:.4f}",
        "image_size": str(size),
        "data": "Cats vs Dogs (Asirra: Elson, Douceur, Howell and Saul, CCS 2007), for research and teaching",
        "made_by": f"scripts/cat_dog_heads.py; logistic regression, C = {fitted.C:g} by five-fold cross-validation",
    }
    save_file(head, cat_dog_head_file(name), metadata=about)
    cat_dog_head_file(name).chmod(0o644)
    print(name, right, f"of {len(data.test)} photos, after {len(y)} others, C = {fitted.C:g}")


if __name__ == "__main__":
    for network_name, side in CAT_DOG_SIZES.items():
        make_head(network_name, side)
