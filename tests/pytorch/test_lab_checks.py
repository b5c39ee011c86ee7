"""The lab's checks on networks that were really trained, rightly and in the wrong ways that the checks are for."""

import copy

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from tlhelpers.lab import checks
from tlhelpers.lab.data import load_public
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import count_parameters, freeze, replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.training import fit


class Task3:
    """Images, a frozen backbone and its features, as the lab's task 3 has them."""

    def __init__(self):
        self.data = load_public("drawn_pets_breeds", image_size=64)
        self.backbone, self.prepare = load_network("mini_resnet")
        replace_head(self.backbone, 0)
        self.parts = {"train": self.data.train, "val": self.data.val}
        self.features = {name: self.answers(self.backbone, part.images) for name, part in self.parts.items()}

    def answers(self, model, images):
        pictures = ImageDataset(images, np.zeros(len(images)), self.prepare)
        return predict(model, DataLoader(pictures, 64))

    def head_on(self, change=lambda features: features, learn="train"):
        """A head that was trained on features, changed in a way."""
        torch.manual_seed(0)
        sets = {name: TensorDataset(torch.from_numpy(change(self.features[name])), torch.from_numpy(part.labels))
                for name, part in self.parts.items()}  # fmt: skip
        head = nn.Linear(self.features["train"].shape[1], self.data.num_classes)
        optimizer = optim.AdamW(head.parameters(), lr=3e-3, weight_decay=1e-2)
        fit(head, optimizer, DataLoader(sets[learn], 32, shuffle=True), DataLoader(sets["val"], 256),
            patience=10, epochs=60)  # fmt: skip
        classifier = nn.Sequential(copy.deepcopy(self.backbone), head)
        freeze(classifier[0])
        return classifier

    def probabilities(self, model, images):
        return torch.from_numpy(self.answers(model, images)).softmax(1).numpy()

    def check(self, classifier):
        features = self.features["train"], self.features["val"]
        answers = [
            self.probabilities(classifier, images) for images in (self.data.val.images, self.data.train.images[::3])
        ]
        checks.check_features(self.data, features, features[0].shape[1], count_parameters(classifier), *answers)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLHELPERS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Task3()


@pytest.fixture(scope="module")
def classifier(task):
    return task.head_on()


def test_a_head_on_the_features_passes(task, classifier, capsys):
    task.check(classifier)
    assert "frozen features" in capsys.readouterr().out


def test_a_head_on_standardised_features_is_refused(task):
    mean, spread = task.features["train"].mean(0), task.features["train"].std(0) + 1e-6
    classifier = task.head_on(lambda features: (features - mean) / spread)
    with pytest.raises(checks.CheckFailedError, match="not standardised"):
        task.check(classifier)


def test_a_head_that_learnt_from_the_validation_images_is_refused(task):
    with pytest.raises(checks.CheckFailedError, match="trained on val_features"):
        task.check(task.head_on(learn="val"))


def tuned(task, classifier, *, lr=1e-3, learn=True, steps=1):
    """A copy of which the last stage may learn, trained for a few steps where it should be."""
    model = copy.deepcopy(classifier)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(("1.", "0.layer4") if learn else "1.")
    optimizer = optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=lr)
    pictures = DataLoader(ImageDataset(task.data.train.images[:64], task.data.train.labels[:64], task.prepare), 32)
    model.eval()
    for _ in range(steps):
        for x, y in pictures:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


@pytest.mark.parametrize(
    ("how", "accepted"),
    [
        ({"lr": 1e-4}, True),
        ({"steps": 0}, False),  # unfrozen, and no training
        ({"learn": False}, False),  # trained while frozen
        ({"lr": 1e-9}, False),
    ],
)
def test_fine_tuning_has_to_move_the_backbone(task, classifier, how, accepted):
    model = tuned(task, classifier, **how)
    old, new = ({name: weight.detach().numpy() for name, weight in made[0].named_parameters()}
                for made in (classifier, model))  # fmt: skip
    before, after = (task.probabilities(made, task.data.val.images) for made in (classifier, model))
    if accepted:
        checks.check_fine_tune(task.data, old, new, before, after)
        return
    with pytest.raises(checks.CheckFailedError, match="not fine-tuning yet"):
        checks.check_fine_tune(task.data, old, new, before, after)


def test_heads_that_end_in_a_softmax_are_refused(task):
    x, breeds = torch.from_numpy(task.features["train"]), torch.from_numpy(task.data.train.labels)
    species = torch.from_numpy(task.data.species_labels(task.data.train.labels))
    for softmax in (False, True):
        torch.manual_seed(0)
        ends = [[nn.Softmax(1)] if softmax else [] for _ in range(2)]
        heads = [
            nn.Sequential(nn.Linear(x.shape[1], n), *end)
            for n, end in zip((task.data.num_classes, 2), ends, strict=True)
        ]
        optimizer = optim.AdamW([*heads[0].parameters(), *heads[1].parameters()], lr=3e-3)
        for _ in range(60):
            losses = [nn.functional.cross_entropy(head(x), y) for head, y in zip(heads, (breeds, species), strict=True)]
            optimizer.zero_grad()
            sum(losses).backward()
            optimizer.step()
        answers = [head(torch.from_numpy(task.features["val"])).softmax(1).detach().numpy() for head in heads]
        if softmax:
            with pytest.raises(checks.CheckFailedError, match="end in a softmax"):
                checks.check_two_heads(task.data, *answers)
        else:
            checks.check_two_heads(task.data, *answers)
