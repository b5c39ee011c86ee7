"""The checks of lesson 09a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import nn
from torch.nn import functional as F

from tests.exercises import answer_of, read_checks

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 8)).astype("float32")
LABELS, OTHER = RNG.integers(0, 4, (2, 60))
x, breeds = torch.from_numpy(FEATURES), torch.from_numpy(LABELS)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 5), nn.ReLU())
        self.breed, self.second = nn.Linear(5, 4), nn.Linear(5, 4)

    def forward(self, x):
        return self.breed(self.trunk(x)), self.second(self.trunk(x))


@pytest.fixture
def checks():
    names = {
        "np": np, "softmax": softmax, "log_softmax": log_softmax, "tensor": torch.from_numpy, "SEED": 0,
        "as_array": lambda v: v.detach().numpy() if torch.is_tensor(v) else np.asarray(v),
        "second_tasks": {"scene": OTHER}, "train_part": np.arange(50), "draw": lambda k: np.arange(8),
        "train": lambda *given, rounds: Small(), "features": FEATURES, "mean": 0, "spread": 1, "breeds": LABELS,
        "classes": 4, "weights_of": lambda m: [v.numpy().copy() for v in m.state_dict().values()],
    }  # fmt: skip
    return read_checks("09a_shared_knowledge", "pytorch", names)


def joint(z, y, z2, y2, weight, divide=True):
    def mean_of(z, y):
        known = y >= 0
        if not known.any():
            return 0.0
        return F.cross_entropy(z[known], y[known], reduction="sum") / (known.sum() if divide else len(y))

    return mean_of(z, y) + weight * mean_of(z2, y2)


def careless(z, y, z2, y2, weight):
    return F.cross_entropy(z, y, ignore_index=-1) + weight * F.cross_entropy(z2, y2, ignore_index=-1)


@pytest.mark.parametrize(("answer", "said"), [
    (joint, "right"), (lambda *given: joint(*given).item(), "right"), (lambda *given: None, "no_number"),
    (lambda *given: joint(*given, divide=False), "mean_of_all"), (lambda *given: joint(*given[:4], 1), "no_weight"),
    (careless, "no_labels"), (lambda *given: 1.0, "wrong_loss"), (lambda *given: given[0], "no_number"),
])  # fmt: skip
def test_joint_loss(answer, said, checks, capsys):
    space, keys = checks
    space["check_joint_loss"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def gradients(model, pick, second, weights=lambda m: [m.trunk[0].weight]):
    found = []
    for k, labels in enumerate((breeds, torch.from_numpy(second))):
        loss = F.cross_entropy(model(x[pick])[k], labels[pick])
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights(model))]))
    return found


def by_backward(model, pick, second):
    found = []
    for k, labels in enumerate((breeds, torch.from_numpy(second))):
        model.zero_grad()
        F.cross_entropy(model(x[pick])[k], labels[pick]).backward()
        found.append(model.trunk[0].weight.grad.clone())
    return (found[0] * found[1]).sum() / (found[0].norm() * found[1].norm())


def moving(model, pick, second):
    found = F.cosine_similarity(*gradients(model, pick, second), dim=0)
    with torch.no_grad():
        model.trunk[0].weight.sub_(0.1)
    return found


@pytest.mark.parametrize(("answer", "said"), [
    (lambda *given: F.cosine_similarity(*gradients(*given), dim=0), "right"), (by_backward, "right"),
    (lambda *given: None, "no_number"), (moving, "model_moved"),
    (lambda *given: torch.dot(*gradients(*given)), "not_divided"), (lambda *given: 0.99, "wrong_cosine"),
    (lambda *given: F.cosine_similarity(*gradients(*given, lambda m: list(m.trunk.parameters())), dim=0),
     "wrong_cosine"),
])  # fmt: skip
def test_cosine_of_gradients(answer, said, checks, capsys):
    torch.manual_seed(0)
    space, keys = checks
    space["check_cosine"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def ones(rows):
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


def by_training(books, films, new):
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    for _ in range(500):
        optimizer.zero_grad()
        F.mse_loss(layer(books), films).backward()
        optimizer.step()
    return layer(new)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda b, f, n: ones(n) @ torch.linalg.lstsq(ones(b), f).solution, "right"), (by_training, "right"),
    (lambda b, f, n: None, "map_shape"), (lambda b, f, n: n, "map_shape"),
    (lambda b, f, n: n @ torch.linalg.lstsq(b, f).solution, "no_intercept"),
    (lambda b, f, n: f.mean(0).expand(5, 2), "wrong_map"),
])  # fmt: skip
def test_mapped_tastes(answer, said, checks, capsys):
    space, keys = checks
    space["check_map"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
