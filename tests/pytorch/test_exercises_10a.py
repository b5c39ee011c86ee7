"""The checks of lesson 10a's exercises accept what is right in any style, and name what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.exercises import answer_of, read_checks

FILTERS = np.abs(np.random.default_rng(0).normal(size=(64, 257))).astype("float32")


def power_of(waves):
    pieces = np.lib.stride_tricks.sliding_window_view(waves, 512, axis=-1)[..., ::118, :]
    return np.abs(np.fft.rfft(pieces * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)))) ** 2


@pytest.fixture(scope="module")
def checks():
    names = {"np": np, "nn": nn, "torch": torch, "tensor": torch.from_numpy, "filters": FILTERS, "power_of": power_of}
    names["waves"] = np.random.default_rng(1).normal(size=(4, 8000)).astype("float32")
    names["log_mel"] = lambda waves: np.log(power_of(waves) @ FILTERS.T + 1e-6).swapaxes(1, 2)
    return read_checks("10a_sounds_and_series", "pytorch", names)


def log_mel(waves, center=False, power=2, log=torch.log, last=lambda s: s):
    window = torch.hann_window(512)
    size = torch.stft(waves, 512, 118, window=window, center=center, return_complex=True).abs()
    return last(log(torch.from_numpy(FILTERS) @ size**power + 1e-6))


@pytest.mark.parametrize(("answer", "said"), [
    (log_mel, "right"), (lambda waves: log_mel(waves).numpy(), "right"), (lambda waves: None, "nothing_returned"),
    (lambda waves: log_mel(waves, center=True), "spectrogram_shape"),
    (lambda waves: log_mel(waves, power=1), "no_square"),
    (lambda waves: log_mel(waves, log=lambda s: s), "no_logarithm"),
    (lambda waves: log_mel(waves, last=lambda s: s.mT), "swapped"),
    (lambda waves: log_mel(waves, last=lambda s: 2 * s), "other_numbers"),
])  # fmt: skip
def test_log_mel(answer, said, checks, capsys):
    space, keys = checks
    space["check_log_mel"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def one_channel(conv, reduce=torch.sum, **options):
    options = {"stride": conv.stride, "padding": conv.padding} | options
    new = nn.Conv2d(1, conv.out_channels, conv.kernel_size, bias=conv.bias is not None, **options)
    new.weight.data = reduce(conv.weight.data, dim=1, keepdim=True)
    if conv.bias is not None:
        new.bias.data = conv.bias.data.clone()
    return new


def without_bias(conv):
    new = one_channel(conv)
    new.bias = None
    return new


@pytest.mark.parametrize(("answer", "said"), [
    (one_channel, "right"), (lambda conv: None, "no_convolution"), (lambda conv: conv, "not_one"),
    (lambda conv: one_channel(conv, reduce=torch.mean), "mean_of_colours"),
    (lambda conv: one_channel(conv, stride=1), "other_size"), (without_bias, "other_numbers"),
])  # fmt: skip
def test_one_channel(answer, said, checks, capsys):
    space, keys = checks
    space["check_one_channel"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said


def load(model, weights, wanted=lambda name: True, names=lambda left: left):
    own, left = model.state_dict(), []
    for name, value in weights.items():
        if name in own and own[name].shape == value.shape and wanted(name):
            own[name].copy_(value)
        else:
            left.append(name)
    return names(left)


@pytest.mark.parametrize(("answer", "said"), [
    (load, "right"), (lambda model, weights: set(load(model, weights)), "right"),
    (lambda model, weights: None, "body_not_loaded"),
    (lambda model, weights: model.load_state_dict(weights, strict=False), "shape_error"),
    (lambda model, weights: load(model, weights, wanted=lambda name: "running" not in name), "statistics_missing"),
    (lambda model, weights: load(model, weights, names=lambda left: left[:1]), "names_wrong"),
    (lambda model, weights: load(model, weights, names=lambda left: None), "names_wrong"),
    (lambda model, weights: [load(model, weights), model[3].reset_parameters()][0], "head_changed"),
])  # fmt: skip
def test_load_what_fits(answer, said, checks, capsys):
    space, keys = checks
    space["check_load"](answer)
    assert answer_of(capsys.readouterr().out, keys) == said
