"""What the lessons show and later lessons import: heads, freezing, training, prediction."""

import copy

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
from torchvision import models

from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import count_parameters, freeze, replace_head
from tlhelpers.pytorch.mini_resnet import mini_resnet
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.training import evaluate, fit, train_epoch


def make_batches(n=48, seed=0, labels=None):
    """Batches of small noise, bright in class 1, so that a network can learn them."""
    rng = np.random.default_rng(seed)
    y = torch.from_numpy(np.arange(n) % 2 if labels is None else labels)
    x = torch.from_numpy(rng.normal(size=(n, 3, 32, 32)).astype(np.float32)) + y[:, None, None, None].float()
    return DataLoader(TensorDataset(x, y), batch_size=16)


@pytest.mark.parametrize(
    ("build", "features"),
    [(mini_resnet, 256), (models.resnet18, 512), (models.mobilenet_v2, 1280), (models.squeezenet1_1, None)],
)
def test_a_head_is_replaced_whatever_its_name(build, features):
    network = build().eval()
    if features is None:  # its classifier has no linear layer to take the size from
        with pytest.raises(ValueError, match="linear layer in the last part, 'classifier'"):
            replace_head(network, 5)
        return
    images = torch.randn(2, 3, 64, 64)
    head = replace_head(network, 5)
    assert (head.in_features, head.out_features) == (features, 5)
    assert network(images).shape == (2, 5)
    replace_head(network, 0)
    assert network(images).shape == (2, features)


def test_a_timm_network_comes_with_its_preprocessing():
    network, prepare = load_network("test_vit", pretrained=False)
    replace_head(network, 3)
    picture = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 90, 120), np.uint8))
    ready = prepare(picture)
    assert ready.dtype == torch.float32
    assert network.eval()(ready[None]).shape == (1, 3)


def test_a_torchvision_network_comes_with_the_preprocessing_of_its_weights():
    network, prepare = load_network("resnet18", pretrained=False)
    assert isinstance(network, models.ResNet)
    assert prepare.mean == models.ResNet18_Weights.DEFAULT.transforms().mean


def test_what_is_frozen_does_not_move_and_the_head_does():
    network = mini_resnet(weights="DEFAULT")
    freeze(network)
    head = replace_head(network, 2)
    assert count_parameters(network) == {"trainable": 2 * 257, "frozen": 1_226_400}
    before = copy.deepcopy(network.state_dict())
    train_epoch(network, make_batches(), optim.AdamW(head.parameters(), lr=0.01))
    moved = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert moved == ["fc.weight", "fc.bias"]  # BatchNorm's statistics neither


def test_batch_norm_that_learns_moves_its_statistics():
    network = mini_resnet(num_classes=2)
    before = network.bn1.running_mean.clone()
    train_epoch(network, make_batches(), optim.AdamW(network.parameters(), lr=1e-3))
    assert not torch.equal(network.bn1.running_mean, before)


def test_training_lowers_the_loss_and_evaluation_changes_nothing():
    torch.manual_seed(0)
    network, batches = mini_resnet(num_classes=2), make_batches()
    optimizer = optim.AdamW(network.parameters(), lr=1e-3)
    losses = [train_epoch(network, batches, optimizer)[0] for _ in range(4)]
    assert losses[-1] < losses[0]
    before = copy.deepcopy(network.state_dict())
    loss, accuracy = evaluate(network, batches)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    logits, y = torch.from_numpy(predict(network, batches)), batches.dataset.tensors[1]
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, y).item(), abs=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == y).float().mean().item())


def test_fit_stops_when_patience_ends_and_puts_the_best_weights_back():
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    network = mini_resnet(num_classes=2)
    val = make_batches(seed=2, labels=rng.integers(0, 2, 48))  # labels without sense: the loss on them can only rise
    history = fit(network, optim.AdamW(network.parameters(), lr=3e-3), make_batches(), val, patience=3, epochs=40)
    best = int(np.argmin(history["val_loss"]))
    assert len(history["loss"]) == best + 3 + 1 < 40
    loss, accuracy = evaluate(network, val)
    assert (loss, accuracy) == pytest.approx((history["val_loss"][best], history["val_accuracy"][best]), abs=1e-5)


def test_pictures_of_an_array_are_prepared_one_by_one():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 10, 3), np.uint8)
    dataset = ImageDataset(images, np.array([2, 0, 1]), lambda pixels: pixels.float() / 255)
    picture, label = dataset[1]
    assert (len(dataset), label, picture.shape) == (3, 0, (3, 8, 10))
    np.testing.assert_allclose(picture.permute(1, 2, 0).numpy(), images[1] / np.float32(255))
