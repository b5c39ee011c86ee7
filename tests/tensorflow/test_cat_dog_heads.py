"""The heads for real photos, in lesson 01's TensorFlow."""

import keras
import pytest

from tests.cat_dog_photos import check_real_cat, check_share_right, read_loader
from tlhelpers.tensorflow.heads import add_head
from tlhelpers.tensorflow.networks import load_network
from tlhelpers.weights import CAT_DOG_SIZES


def probabilities_of(model, images):
    return keras.ops.softmax(model.predict(images, batch_size=64, verbose=0)).numpy()


NAMES = {"load_network": load_network, "add_head": add_head, "probabilities_of": probabilities_of}
load_photo_network = read_loader("tensorflow", NAMES)


@pytest.mark.parametrize("name", CAT_DOG_SIZES)
def test_most_real_photos_are_named_rightly(name):
    check_share_right(name, load_photo_network)


def test_a_real_cat_is_a_cat_without_any_data_set():
    check_real_cat(load_photo_network)
