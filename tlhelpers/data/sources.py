"""What can be fetched: data sets and ImageNet weights, with their addresses, sizes and checksums.

The path of a file is its place in a classroom pack, in the cache's `downloads` folder, and in what
`tlhelpers fetch --to` writes: the same everywhere.
"""

from dataclasses import dataclass

from tlhelpers.errors import DataNotFoundError, UnknownNameError


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded.

    Attributes:
        path: Its place in a pack, with forward slashes.
        urls: Where it is, best first.
        checksum: `"sha256:..."` or `"md5:..."`; the digest may be its beginning only, as in torchvision's file names.
            None where the publisher states none.
        size: Bytes; None where unknown.
        stand_ins: Places in a pack of files that serve as well, such as a smaller selection.
    """

    path: str
    urls: tuple[str, ...]
    checksum: str | None = None
    size: int | None = None
    stand_ins: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rsplit("/", 1)[-1]


CATS_VS_DOGS = RemoteFile(
    "cats_vs_dogs/kagglecatsanddogs_5340.zip",
    ("https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",),
    "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
    824_887_076,
    ("cats_vs_dogs/kagglecatsanddogs_subset.zip",),
)
OXFORD_IMAGES = RemoteFile(
    "oxford_iiit_pet/images.tar.gz",
    (
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
    ),
    "sha256:67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
    791_918_971,
)
OXFORD_ANNOTATIONS = RemoteFile(
    "oxford_iiit_pet/annotations.tar.gz",
    (
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
    ),
    "md5:95a8c909bbe2e81eed6a22bccdf3f68f",
)

IMAGENET_CLASSES = RemoteFile(
    "weights/imagenet_class_index.json",
    ("https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",),
    "md5:c2c37ea517e94d9795004a39431a14cb",
)

DATA_SETS: dict[str, tuple[RemoteFile, ...]] = {
    "cats_vs_dogs": (CATS_VS_DOGS,),
    "oxford_iiit_pet": (OXFORD_IMAGES, OXFORD_ANNOTATIONS),
}
CLASS_NAMES: dict[str, tuple[RemoteFile, ...]] = {"imagenet_classes": (IMAGENET_CLASSES,)}
ALIASES = {"oxford_pets_species": "oxford_iiit_pet", "oxford_pets_breeds": "oxford_iiit_pet"}

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"


def _weights(folder_url: str, file: str, checksum: str | None) -> RemoteFile:
    return RemoteFile(f"weights/{file}", (folder_url + file,), checksum)


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


def fetchable_names() -> list[str]:
    """All names that `fetch` knows: data sets, and `backbone-framework` for weights."""
    return [*DATA_SETS, *ALIASES, *CLASS_NAMES, *(f"{backbone}-{framework}" for backbone, framework in WEIGHTS)]


def files_of(name: str) -> tuple[RemoteFile, ...]:
    """The files of a data set or of weights, such as `"cats_vs_dogs"` or `"resnet50-pytorch"`.

    Raises:
        UnknownNameError: there is nothing of that name.
    """
    name = ALIASES.get(name, name)
    if name in DATA_SETS or name in CLASS_NAMES:
        return (DATA_SETS | CLASS_NAMES)[name]
    backbone, _, framework = name.rpartition("-")
    if (backbone, framework) in WEIGHTS:
        return (WEIGHTS[backbone, framework],)
    raise UnknownNameError("data set or weights", name, fetchable_names())


def weights_file(backbone: str, framework: str) -> RemoteFile:
    """The ImageNet weights of a backbone for `"pytorch"` or `"tensorflow"`.

    Raises:
        UnknownNameError: no such framework, or no framework has such a backbone.
        DataNotFoundError: only the other framework has published weights for it.
    """
    frameworks = sorted({framework for _, framework in WEIGHTS})
    if framework not in frameworks:
        raise UnknownNameError("framework", framework, frameworks)
    if (backbone, framework) in WEIGHTS:
        return WEIGHTS[backbone, framework]
    if backbone not in {known for known, _ in WEIGHTS}:
        raise UnknownNameError("backbone with ImageNet weights", backbone, {b for b, f in WEIGHTS if f == framework})
    known = ", ".join(sorted(b for b, f in WEIGHTS if f == framework))
    raise DataNotFoundError(
        f"No server offers ImageNet weights of {backbone!r} for {framework}. Take one of: {known}; or name a file of "
        "weights that you have."
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
