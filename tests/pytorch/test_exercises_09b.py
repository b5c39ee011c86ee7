"""The checks of lesson 09b's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch

from tests.exercises import answer_of, read_checks


def array(values):
    return torch.as_tensor(values).cpu().numpy()


@pytest.fixture(scope="module")
def checks():
    return read_checks("09b_graphs", "pytorch", {"np": np, "tensor": torch.as_tensor, "array": array})


def agreement(logits, source, target, chance=None, sign=-1, ends=False):
    said = logits.argmax(1)
    shares = torch.bincount(said[source] if ends else said, minlength=5).float()
    by_chance = ((shares / shares.sum()) ** 2).sum() if chance is None else chance
    return (said[source] == said[target]).float().mean() + sign * by_chance


@pytest.mark.parametrize(("answer", "said"), [
    (agreement, "right"), (lambda *given: agreement(*given).item(), "right"), (lambda *given: None, "no_number"),
    (lambda *given: agreement(*given, chance=0), "only_alike"),
    (lambda *given: agreement(*given, chance=0.2), "even_chance"),
    (lambda *given: agreement(*given, sign=1), "added"), (lambda *given: agreement(*given, ends=True), "ends_counted"),
    (lambda *given: 0.5, "wrong_agreement"),
    (lambda logits, source, target: logits.argmax(1)[source] == logits.argmax(1)[target], "no_number"),
])  # fmt: skip
def test_agreement(answer, said, checks, capsys):
    space, keys = checks
    space["check_agreement"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def propagate(start, known, source, target, steps=50, *, hold=True, mean=True, least=1):
    rows = start.clone()
    for _ in range(steps):
        total, count = torch.zeros_like(rows), torch.zeros(len(rows))
        for i, j in zip(source.tolist(), target.tolist(), strict=True):
            total[j] += rows[i]
            count[j] += 1
        rows = total / count.clamp(min=least)[:, None] if mean else total
        if hold:
            rows[known] = start[known]
    return rows


def by_matrix(start, known, source, target, steps=50):
    matrix = torch.zeros(len(start), len(start)).index_put((target, source), torch.ones(len(source)), accumulate=True)
    matrix, rows = matrix / matrix.sum(1, keepdim=True).clamp(min=1), start
    for _ in range(steps):
        rows = torch.where(known[:, None], start, matrix @ rows)
    return rows


@pytest.mark.parametrize(("answer", "said"), [
    (propagate, "right"), (by_matrix, "right"), (lambda *given, steps: None, "rows_shape"),
    (lambda *given, steps: propagate(*given, steps).argmax(1), "rows_shape"),
    (lambda *given, steps: propagate(*given, steps, hold=False), "not_held"),
    (lambda *given, steps: propagate(*given, steps, mean=False), "sums"),
    (lambda *given, steps: propagate(*given, steps, least=0), "nan"),
    (lambda *given, steps: propagate(*given, 1), "wrong_rows"),
])  # fmt: skip
def test_propagate(answer, said, checks, capsys):
    space, keys = checks
    space["check_propagate"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def may_carry(source, target, asked, both=True):
    gone = {tuple(pair) for pair in asked.tolist()}
    gone |= {(b, a) for a, b in gone} if both else set()
    keep = torch.tensor([edge not in gone for edge in zip(source.tolist(), target.tolist(), strict=True)])
    return source[keep], target[keep]


def of_no_asked_node(source, target, asked):
    keep = ~(torch.isin(source, asked) | torch.isin(target, asked))
    return source[keep], target[keep]


@pytest.mark.parametrize(("answer", "said"), [
    (may_carry, "right"), (lambda *given: [part.flip(0) for part in may_carry(*given)], "right"),
    (lambda *given: torch.stack(may_carry(*given)), "right"), (lambda *given: None, "no_edges"),
    (lambda *given: given[:2], "still_leaks"), (lambda *given: may_carry(*given, both=False), "still_leaks"),
    (of_no_asked_node, "lost_edges"), (lambda *given: (given[0], given[1][:3]), "no_edges"),
])  # fmt: skip
def test_which_edges_may_carry(answer, said, checks, capsys):
    space, keys = checks
    space["check_may_carry"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
