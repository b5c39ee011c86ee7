"""Networks with the head that ImageNet gave them, from a file of the classroom pack, in PyTorch."""

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import DataNotFoundError


@pytest.fixture
def pack(tmp_path, monkeypatch):
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("TLHELPERS_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"), [("resnet18", "resnet18-f37072fd.pth"), ("mobilenet_v2", "mobilenet_v2-b0353104.pth")]
)
def test_logits_are_those_of_the_whole_network(pack, name, file):
    import torch
    from torchvision import models

    from tlhelpers.legacy.backbones import IMAGENET
    from tlhelpers.legacy.pytorch import attack, load_source_classifier, predict_proba

    torch.manual_seed(0)
    network = models.get_model(name).eval()  # untrained: what counts is that every weight finds its place
    torch.save(network.state_dict(), pack / "torch" / "hub" / "checkpoints" / file)
    classifier = load_source_classifier(name, precision="float32")
    images = draw_pets(2, seed=0, size=224).images
    scaled = (images - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
    with torch.inference_mode():
        expected = network(torch.from_numpy(scaled).permute(0, 3, 1, 2).float()).softmax(1).numpy()
    np.testing.assert_allclose(predict_proba(classifier, images), expected, atol=1e-5)
    assert "tabby" in classifier.class_names
    result = attack(classifier, images, "tabby", targets="golden retriever", steps=1)
    assert np.abs(result.perturbation).max() <= 8 / 255 + 1e-6


def test_without_network_and_pack_it_says_what_to_do(tmp_path, monkeypatch):
    from tlhelpers.legacy.pytorch import load_source_classifier

    monkeypatch.delenv("TLHELPERS_DATA", raising=False)
    monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DataNotFoundError, match=r"fetch torchvision/VGG16_Weights\.IMAGENET1K_V1 --to"):
        load_source_classifier("vgg16")
