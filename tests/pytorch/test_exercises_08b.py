"""The checks of lesson 08b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    return read_checks(
        "08b_when_adaptation_harms", "pytorch", {"np": np, "torch": torch, "nn": nn, "tensor": torch.as_tensor}
    )


def pseudo_labels(logits, share, by_class=True, surest=True):
    sure, said = logits.softmax(1).max(1)
    sure = sure if surest else -sure
    groups = [(said == c).nonzero()[:, 0] for c in range(logits.shape[1])] if by_class else [torch.arange(len(said))]
    chosen = torch.cat([g[sure[g].argsort(descending=True)[: int(np.ceil(share * len(g)))]] for g in groups])
    return chosen, said[chosen]


def pseudo_labels_of_numpy(logits, share):
    chosen, said = pseudo_labels(logits, share)
    return chosen.flip(0).tolist(), said.flip(0).numpy()


@pytest.mark.parametrize(("answer", "said"), [
    (pseudo_labels, "right"), (pseudo_labels_of_numpy, "right"), (lambda logits, share: None, "two_lists"),
    (lambda logits, share: (pseudo_labels(logits, share)[0], logits.argmax(1)), "two_lists"),
    (lambda logits, share: pseudo_labels(logits, share)[0], "two_lists"),
    (lambda logits, share: (torch.arange(len(logits)), logits.argmax(1)), "all_taken"),
    (lambda logits, share: pseudo_labels(logits, share, by_class=False), "not_by_class"),
    (lambda logits, share: pseudo_labels(logits, share / 2), "wrong_counts"),
    (lambda logits, share: pseudo_labels(logits, share, surest=False), "not_the_surest"),
    (lambda logits, share: (pseudo_labels(logits, share)[0], 0 * pseudo_labels(logits, share)[1]), "other_classes"),
])  # fmt: skip
def test_pseudo_labels(answer, said, checks, capsys):
    space, keys = checks
    space["check_pseudo_labels"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def unfreeze(model, parts, asleep=(nn.BatchNorm2d,), others=False):
    for name, module in model.named_modules():
        if not list(module.children()):
            learns = (others or any(name.startswith(part) for part in parts)) and not isinstance(module, asleep)
            for parameter in module.parameters():
                parameter.requires_grad = learns


def only_thaw(model, parts):  # forgets to freeze the rest
    for name, parameter in model.named_parameters():
        if name.startswith(parts) and ".bn" not in name:
            parameter.requires_grad_(True)


@pytest.mark.parametrize(("answer", "said"), [
    (unfreeze, "right"), (lambda model, parts: unfreeze(model, parts, asleep=()), "batch_norm_learns"),
    (lambda model, parts: unfreeze(model, parts, others=True), "too_much_learns"),
    (lambda *given: None, "too_much_learns"),
    (only_thaw, "too_much_learns"), (lambda model, parts: unfreeze(model, parts[1:]), "too_little_learns"),
])  # fmt: skip
def test_unfreeze(answer, said, checks, capsys):
    space, keys = checks
    space["check_unfreeze"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def shares_of(confusion, predicted):
    shares = torch.linalg.solve(confusion, predicted).clamp(min=0)
    return shares / shares.sum()


def shares_of_numpy(confusion, predicted):
    shares = np.linalg.pinv(confusion.numpy()) @ predicted.numpy()
    return np.maximum(shares, 0) / np.maximum(shares, 0).sum()


@pytest.mark.parametrize(("answer", "said"), [
    (shares_of, "right"), (shares_of_numpy, "right"), (lambda confusion, predicted: None, "three_shares"),
    (lambda confusion, predicted: confusion, "three_shares"), (lambda confusion, predicted: predicted, "only_counted"),
    (lambda confusion, predicted: shares_of(confusion.T, predicted), "wrong_shares"),
    (torch.linalg.solve, "negative_share"),
    (lambda confusion, predicted: torch.linalg.solve(confusion, predicted).clamp(min=0), "not_one"),
])  # fmt: skip
def test_shares(answer, said, checks, capsys):
    space, keys = checks
    space["check_shares"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
