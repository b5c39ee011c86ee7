"""The same images through both frameworks, each in a process of its own: features and probabilities are the same."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tlhelpers.drawn_pets import draw_pets

PYTORCH = """
import sys
import numpy as np
import torch
from torchvision.models import get_model_weights
from tlhelpers.pytorch.efficientnet_lite0 import efficientnet_lite0
from tlhelpers.pytorch.mini_resnet import mini_resnet, mini_resnet_narrow

images, out = np.load(sys.argv[1]), {}
for build, last in ((mini_resnet, "fc"), (mini_resnet_narrow, "fc"), (efficientnet_lite0, "classifier")):
    name = build.__name__
    preprocess = get_model_weights(build).DEFAULT.transforms()
    x = preprocess(torch.from_numpy(images[name]).permute(0, 3, 1, 2))
    model = build(weights="DEFAULT").eval()
    with torch.inference_mode():
        out[f"{name} probabilities"] = model(x).softmax(1).numpy()
        setattr(model, last, torch.nn.Identity())
        out[f"{name} features"] = model(x).numpy()
np.savez(sys.argv[2], **out)
"""
TENSORFLOW = """
import sys
from functools import partial
import numpy as np
from tlhelpers.tensorflow import efficientnet_lite0, mini_resnet

images, out = np.load(sys.argv[1]), {}
for name, module, build in (
    ("mini_resnet", mini_resnet, mini_resnet.MiniResNet),
    ("mini_resnet_narrow", mini_resnet, partial(mini_resnet.MiniResNet, width=16)),
    ("efficientnet_lite0", efficientnet_lite0, efficientnet_lite0.EfficientNetLite0),
):
    x = module.preprocess_input(images[name])
    out[f"{name} probabilities"] = build()(x, training=False).numpy()
    out[f"{name} features"] = build(include_top=False, pooling="avg")(x, training=False).numpy()
np.savez(sys.argv[2], **out)
"""
NETWORKS = {"mini_resnet": 64, "mini_resnet_narrow": 64, "efficientnet_lite0": 224}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each framework computes: "NETWORK features" and "NETWORK probabilities"."""
    for package in ("torch", "tensorflow"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs both frameworks; {package} is not installed")
    folder = tmp_path_factory.mktemp("parity")
    photos = (skimage.data.chelsea(), skimage.data.astronaut())
    images = {}
    for name, size in NETWORKS.items():
        real = [np.asarray(Image.fromarray(photo).resize((size, size))) for photo in photos]
        images[name] = np.concatenate([np.stack(real), draw_pets(6, seed=5, size=size).images])
    np.savez(folder / "images.npz", **images)
    found = {}
    for framework, script in (("pytorch", PYTORCH), ("tensorflow", TENSORFLOW)):
        out = folder / f"{framework}.npz"
        subprocess.run([sys.executable, "-c", script, folder / "images.npz", out], check=True, timeout=300)
        found[framework] = dict(np.load(out))
    return found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("what", ["features", "probabilities"])
def test_frameworks_agree(outputs, network, what):
    ours, theirs = (outputs[framework][f"{network} {what}"] for framework in ("pytorch", "tensorflow"))
    assert np.abs(ours).max() > 0.1  # not all zero
    assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(ours).max()
