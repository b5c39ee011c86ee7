"""ImageNet weights for the old mirrors: where their files are, and what their publishers say of them."""

from dataclasses import dataclass
from pathlib import Path

from tlhelpers.data.fetch import bring
from tlhelpers.data.sources import RemoteFile
from tlhelpers.errors import DataNotFoundError, UnknownNameError

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"


def _weights(folder_url: str, file: str, checksum: str | None) -> RemoteFile:
    """A file in its library's own cache within a pack, where `tlhelpers fetch LIBRARY/NAME --to PACK` puts it."""
    folder = "torch/hub/checkpoints" if folder_url == _TORCHVISION else "keras/models"
    return RemoteFile(f"{folder}/{file}", (folder_url + file,), checksum)


# torchvision: the first recipe's weights (IMAGENET1K_V1) also where a later one scores higher on ImageNet itself. They
# are those that Keras has too, and they transfer better with a frozen backbone.
# Keras: without the classifier on top. It states no checksum for the two MobileNets.
WEIGHTS: dict[tuple[str, str], RemoteFile] = {
    ("vgg16", "pytorch"): _weights(_TORCHVISION, "vgg16-397923af.pth", "sha256:397923af"),
    ("resnet18", "pytorch"): _weights(_TORCHVISION, "resnet18-f37072fd.pth", "sha256:f37072fd"),
    ("resnet50", "pytorch"): _weights(_TORCHVISION, "resnet50-0676ba61.pth", "sha256:0676ba61"),
    ("mobilenet_v2", "pytorch"): _weights(_TORCHVISION, "mobilenet_v2-b0353104.pth", "sha256:b0353104"),
    ("efficientnet_b0", "pytorch"): _weights(_TORCHVISION, "efficientnet_b0_rwightman-7f5810bc.pth", "sha256:7f5810bc"),
    ("vit_b_16", "pytorch"): _weights(_TORCHVISION, "vit_b_16-c867db91.pth", "sha256:c867db91"),
    ("vgg16", "tensorflow"): _weights(
        _KERAS + "vgg16/",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:6d6bbae143d832006294945121d1f1fc",
    ),
    ("resnet50", "tensorflow"): _weights(
        _KERAS + "resnet/",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:4d473c1dd8becc155b73f8504c6f6626",
    ),
    ("mobilenet", "tensorflow"): _weights(_KERAS + "mobilenet/", "mobilenet_1_0_224_tf_no_top.h5", None),
    ("mobilenet_v2", "tensorflow"): _weights(
        _KERAS + "mobilenet_v2/", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
    ),
    ("efficientnet_b0", "tensorflow"): _weights(
        "https://storage.googleapis.com/keras-applications/",
        "efficientnetb0_notop.h5",
        "md5:50bc09e76180e00e4465e1a485ddc09d",
    ),
    # The same networks with the classifier on top, for attacks on ImageNet's classes; torchvision's files have it.
    ("vgg16_with_head", "tensorflow"): _weights(
        _KERAS + "vgg16/", "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "md5:64373286793e3c8b2b4e3219cbf3544b"
    ),
    ("resnet50_with_head", "tensorflow"): _weights(
        _KERAS + "resnet/", "resnet50_weights_tf_dim_ordering_tf_kernels.h5", "md5:2cb95161c43110f7111970584f804107"
    ),
    ("mobilenet_v2_with_head", "tensorflow"): _weights(
        _KERAS + "mobilenet_v2/", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", None
    ),
    ("efficientnet_b0_with_head", "tensorflow"): _weights(
        "https://storage.googleapis.com/keras-applications/",
        "efficientnetb0.h5",
        "md5:902e53a9f72be733fc0bcb005b3ebbac",
    ),
}

# What `tlhelpers fetch` calls them; each library downloads its own.
_NAMES = {
    ("vgg16", "pytorch"): "torchvision/VGG16_Weights.IMAGENET1K_V1",
    ("resnet18", "pytorch"): "torchvision/ResNet18_Weights.IMAGENET1K_V1",
    ("resnet50", "pytorch"): "torchvision/ResNet50_Weights.IMAGENET1K_V1",
    ("mobilenet_v2", "pytorch"): "torchvision/MobileNet_V2_Weights.IMAGENET1K_V1",
    ("efficientnet_b0", "pytorch"): "torchvision/EfficientNet_B0_Weights.IMAGENET1K_V1",
    ("vit_b_16", "pytorch"): "torchvision/ViT_B_16_Weights.IMAGENET1K_V1",
    ("vgg16", "tensorflow"): "keras/VGG16",
    ("resnet50", "tensorflow"): "keras/ResNet50",
    ("mobilenet", "tensorflow"): "keras/MobileNet",
    ("mobilenet_v2", "tensorflow"): "keras/MobileNetV2",
    ("efficientnet_b0", "tensorflow"): "keras/EfficientNetB0",
}


def fetch_weights(backbone: str, framework: str, *, progress: bool = True) -> Path:
    """The file of a backbone's ImageNet weights, from the pack, the cache or the network.

    Args:
        backbone: Such as `"resnet50"`; for Keras also `"resnet50_with_head"`, with the classifier on top.
        framework: `"pytorch"` (torchvision's weights) or `"tensorflow"` (Keras's).
        progress: Whether to show progress bars.

    Raises:
        UnknownNameError: no such framework, or no framework has such a backbone.
        DataNotFoundError: only the other framework has published weights for it, or no server gave them.
        DownloadError: a download broke off, or is not the file that was expected.
    """
    if (backbone, framework) in WEIGHTS:
        name = _NAMES[backbone.removesuffix("_with_head"), framework]
        return bring(WEIGHTS[backbone, framework], name, None, progress)
    if framework not in ("pytorch", "tensorflow"):
        raise UnknownNameError("framework", framework, ("pytorch", "tensorflow"))
    known = sorted(b for b, f in WEIGHTS if f == framework)
    if backbone not in {b for b, _ in WEIGHTS}:
        raise UnknownNameError("backbone with ImageNet weights", backbone, known)
    raise DataNotFoundError(
        f"No server offers ImageNet weights of {backbone!r} for {framework}. Take one of: {', '.join(known)}; or name "
        "a file of weights that you have."
    )


@dataclass(frozen=True)
class Published:
    """What the publishers of a network's weights say of them. What they do not say is None, never a guess.

    Attributes:
        top1: accuracy on ImageNet's 50,000 validation photos with one crop, as a fraction.
        top1_source: where that number stands.
        licence: of the weights, as far as the publisher states one.
        licence_source: where that stands.
    """

    top1: float | None
    top1_source: str
    licence: str | None
    licence_source: str


UNPUBLISHED = Published(None, "", None, "")
EMBEDDED_LICENCE = Published(
    None, "", "Trained on Tiny ImageNet: for research and teaching", "tlhelpers/weights/mini_resnet.md"
)
TORCHVISION_LICENCE = (
    "None stated; the code is BSD, the terms of the training data may apply",
    "https://docs.pytorch.org/vision/stable/models.html",
)
_KERAS_TABLE = "https://keras.io/api/applications/"
_KERAS_2_PAGE = "keras.io/applications (Keras 2)"

# Keras's applications: top-1 from the table of their page; licences from the same page of Keras 2 (now it has none).
# timm states top-1 in its README (July 2024) and the licence on the model's card.
PUBLISHED: dict[tuple[str, str], Published] = {
    ("vgg16", "tensorflow"): Published(0.713, _KERAS_TABLE, "CC BY 4.0 (VGG, Oxford)", _KERAS_2_PAGE),
    ("resnet50", "tensorflow"): Published(0.749, _KERAS_TABLE, "MIT (Kaiming He)", _KERAS_2_PAGE),
    ("mobilenet", "tensorflow"): Published(0.704, _KERAS_TABLE, "Apache 2.0", _KERAS_2_PAGE),
    ("mobilenet_v2", "tensorflow"): Published(0.713, _KERAS_TABLE, "Apache 2.0", _KERAS_2_PAGE),
    ("efficientnet_b0", "tensorflow"): Published(
        0.771, _KERAS_TABLE, "None stated; the original's code is Apache 2.0", "https://github.com/tensorflow/tpu"
    ),
    ("mobilenet", "pytorch"): Published(
        0.75382,
        "https://github.com/huggingface/pytorch-image-models",
        "Apache 2.0",
        "https://huggingface.co/timm/mobilenetv1_100.ra4_e3600_r224_in1k",
    ),
}
