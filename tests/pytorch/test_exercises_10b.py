"""The checks of lesson 10b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn
from torch.nn import functional as F

from tests.exercises import answer_of, read_checks


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "softmax": softmax, "tensor": torch.from_numpy, "torch": torch, "nn": nn}
    return read_checks("10b_words", "pytorch", names)


def losses(logits, targets):
    return F.cross_entropy(logits.permute(0, 2, 1), targets, reduction="none")


@pytest.mark.parametrize(("answer", "said"), [
    (lambda z, y: F.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=0).exp(), "right"),
    (lambda z, y: losses(z, y)[y > 0].mean().exp().item(), "right"), (lambda z, y: None, "no_number"),
    (lambda z, y: losses(z, y).exp(), "no_number"), (lambda z, y: losses(z, y).mean().exp(), "padding_counts"),
    (lambda z, y: losses(z, y)[y > 0].mean(), "no_exp"), (lambda z, y: 1.0, "wrong_perplexity"),
    (lambda z, y: (losses(z, y) * (y > 0)).mean().exp(), "of_zeros"),
    (lambda z, y: ((losses(z, y) * (y > 0)).sum(1) / (y > 0).sum(1)).mean().exp(), "word_by_word"),
    (lambda z, y: (losses(z, y)[y > 0].mean() / np.log(2)).exp(), "mixed_bases"),
    (lambda z, y: 2 ** (losses(z, y)[y > 0].mean() / np.log(2)), "right"),
])  # fmt: skip
def test_perplexity(answer, said, checks, capsys):
    space, keys = checks
    space["check_perplexity"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def with_rows(embedding, extra, old=1.0, frozen=False):
    rows = torch.cat([old * embedding.weight.detach(), torch.randn(extra, embedding.embedding_dim)])
    return nn.Embedding.from_pretrained(rows, freeze=frozen)


def in_place(embedding, extra):
    embedding.weight.data = torch.cat([embedding.weight.data, torch.randn(extra, embedding.embedding_dim)])
    return embedding


def spoilt(embedding, extra):
    new = with_rows(embedding, extra)
    embedding.weight.data.zero_()
    return new


@pytest.mark.parametrize(("answer", "said"), [
    (with_rows, "right"), (lambda e, extra: None, "no_layer"), (in_place, "no_layer"),
    (lambda e, extra: with_rows(e, extra).weight, "no_layer"), (lambda e, extra: with_rows(e, 1), "wrong_rows"),
    (lambda e, extra: with_rows(e, extra, old=0.9), "old_rows"),
    (lambda e, extra: with_rows(e, extra, frozen=True), "frozen_rows"), (spoilt, "old_layer"),
])  # fmt: skip
def test_new_rows(answer, said, checks, capsys):
    space, keys = checks
    space["check_grow"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


@pytest.mark.parametrize(("answer", "said"), [
    (lambda s, c: (s * (c > 0)[..., None]).sum(1) / (c > 0).sum(1, keepdim=True), "right"),
    (lambda s, c: torch.stack([one[code > 0].mean(0) for one, code in zip(s, c, strict=True)]), "right"),
    (lambda s, c: None, "mean_shape"), (lambda s, c: s.mean(2), "mean_shape"),
    (lambda s, c: s.mean(1), "padding_in_mean"),
    (lambda s, c: (s * (c > 0)[..., None]).mean(1), "divided_by_all"), (lambda s, c: s[:, -1], "wrong_mean"),
    (lambda s, c: (s * (c > 0)[..., None]).sum(1), "only_sum"),
])  # fmt: skip
def test_mean_of_words(answer, said, checks, capsys):
    space, keys = checks
    space["check_mean"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
