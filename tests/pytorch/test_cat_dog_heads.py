"""The heads for real photos, in lesson 01's PyTorch."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from tests.cat_dog_photos import check_real_cat, check_share_right, read_loader
from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.weights import CAT_DOG_SIZES

NAMES = {
    "np": np, "torch": torch, "load_file": load_file, "DataLoader": DataLoader, "ImageDataset": ImageDataset,
    "replace_head": replace_head, "load_network": load_network, "predict": predict, "device": torch.device("cpu"),
}  # fmt: skip
load_photo_network = read_loader("pytorch", NAMES)


@pytest.mark.parametrize("name", CAT_DOG_SIZES)
def test_most_real_photos_are_named_rightly(name):
    check_share_right(name, load_photo_network)


def test_a_real_cat_is_a_cat_without_any_data_set():
    check_real_cat(load_photo_network)
