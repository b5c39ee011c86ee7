"""Networks with the head that ImageNet gave them, from a file of the classroom pack, in Keras."""

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import DataNotFoundError


@pytest.fixture
def pack(tmp_path, monkeypatch):
    (tmp_path / "keras" / "models").mkdir(parents=True)
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "application", "file"),
    [
        ("mobilenet_v2", "MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
        ("efficientnet_b0", "EfficientNetB0", "efficientnetb0.h5"),
    ],
)
def test_logits_are_those_of_the_whole_network(pack, name, application, file):
    from tlhelpers.legacy.tensorflow import attack, load_source_classifier, predict_proba, set_seed

    import h5py  # both after tlhelpers.legacy.tensorflow, which silences TensorFlow's start  # isort: skip
    import keras  # isort: skip
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group  # isort: skip

    set_seed(0)
    network = getattr(keras.applications, application)(weights=None)  # every weight must find its place
    with h5py.File(pack / "keras" / "models" / file, "w") as group:  # the format that Keras publishes its weights in
        save_weights_to_hdf5_group(group, network)
    classifier = load_source_classifier(name, precision="float32")
    images = draw_pets(2, seed=0, size=224).images
    scaled = images.astype(np.float32)
    if name == "mobilenet_v2":
        scaled = scaled / 127.5 - 1
    expected = network(scaled, training=False).numpy()
    np.testing.assert_allclose(predict_proba(classifier, images), expected, atol=1e-5)
    assert classifier.class_names[207] == "golden retriever"
    result = attack(classifier, images, "tabby", targets="golden retriever", steps=1)
    assert np.abs(result.perturbation).max() <= 8 / 255 + 1e-6


def test_without_network_and_pack_it_says_what_to_do(tmp_path, monkeypatch):
    from tlhelpers.legacy.tensorflow import load_source_classifier

    monkeypatch.delenv("TLHELPERS_DATA", raising=False)
    monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DataNotFoundError, match="fetch keras/VGG16 --to"):
        load_source_classifier("vgg16")
