"""The checks of lesson 02b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.exercises import answer_of, read_checks


def pixels_of(images):
    return torch.tensor(images).permute(0, 3, 1, 2) / 255


@pytest.fixture(scope="module")
def checks():
    names = {"torch": torch, "nn": nn, "np": np, "device": torch.device("cpu"), "pixels_of": pixels_of}
    return read_checks("02b_where_networks_look", "pytorch", names)


def weighted(maps, head, k):
    return (maps * head.weight[k][:, None, None]).sum(1)


@pytest.mark.parametrize(("answer", "said"), [
    (lambda maps, head, k: weighted(maps, head, k).clamp(min=0), "right"),
    (lambda maps, head, k: weighted(maps, head, k).relu() / 16, "right"),
    (lambda *given: None, "no_answer"), (weighted, "cam_uncut"),
    (lambda maps, head, k: maps.relu().sum(1), "cam_other"),
    (lambda maps, head, k: weighted(maps, head, 0).relu(), "cam_other"),
    (lambda maps, head, k: maps * head.weight[k][:, None, None], "wrong_shape"),
    (lambda maps, head, k: maps * head.weight[k], "cam_error"),
])  # fmt: skip
def test_cam(answer, said, checks, capsys):
    space, keys = checks
    space["check_cam"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def saliency(model, images, classes, output=lambda scores: scores, end=lambda gradients: gradients.abs().amax(1)):
    pixels = pixels_of(images).requires_grad_()
    output(model(pixels)).gather(1, torch.from_numpy(classes)[:, None]).sum().backward()
    return end(pixels.grad)


@pytest.mark.parametrize(("answer", "said"), [
    (saliency, "right"), (lambda *given: saliency(*given).numpy(), "right"), (lambda *given: None, "no_answer"),
    (lambda *given: saliency(*given, end=lambda gradients: gradients.amax(1)), "saliency_sign"),
    (lambda *given: saliency(*given, output=lambda scores: scores.softmax(1)), "saliency_of_probability"),
    (lambda *given: saliency(*given, end=lambda gradients: gradients.abs().mean(1)), "saliency_other"),
    (lambda *given: saliency(*given, end=lambda gradients: gradients.abs()), "wrong_shape"),
    (lambda model, images, classes: torch.autograd.grad(model(pixels_of(images)).sum(), pixels_of(images)),
     "saliency_error"),
])  # fmt: skip
def test_saliency(answer, said, checks, capsys):
    space, keys = checks
    space["check_saliency"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def knn(rows, labels, new, k, largest=False):
    return labels[torch.cdist(new, rows).topk(k, largest=largest).indices].float().mean(1).round().long()


@pytest.mark.parametrize(("answer", "said"), [
    (knn, "right"), (lambda *given: knn(*given).numpy(), "right"), (lambda *given: None, "no_answer"),
    (lambda rows, labels, new, k: knn(rows, labels, new, 1), "knn_only_one"),
    (lambda *given: knn(*given, largest=True), "knn_farthest"),
    (lambda rows, labels, new, k: torch.zeros(len(new)), "knn_other"),
    (lambda rows, labels, new, k: labels[torch.cdist(new, rows).topk(k, largest=False).indices], "wrong_shape"),
    (lambda rows, labels, new, k: torch.cdist(new, rows.T), "knn_error"),
])  # fmt: skip
def test_nearest_neighbours(answer, said, checks, capsys):
    space, keys = checks
    space["check_knn"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
