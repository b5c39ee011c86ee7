"""What is PyTorch's own: backbones, features, classifiers, training.

`tlhelpers.legacy.tensorflow` has the same names.
"""

from tlhelpers.legacy.pytorch.adversarial import attack, ideal_image, logit_gradient
from tlhelpers.legacy.pytorch.backbones import BACKBONES, Backbone, load_backbone
from tlhelpers.legacy.pytorch.classifiers import (
    build_classifier,
    build_head,
    count_parameters,
    freeze,
    get_weights,
    load_classifier,
    save_classifier,
    set_weights,
    unfreeze,
)
from tlhelpers.legacy.pytorch.features import extract_features, feature_maps, predict_proba
from tlhelpers.legacy.pytorch.source_classifiers import load_source_classifier
from tlhelpers.legacy.pytorch.training import fit, set_seed

__all__ = [
    "BACKBONES",
    "Backbone",
    "attack",
    "build_classifier",
    "build_head",
    "count_parameters",
    "extract_features",
    "feature_maps",
    "fit",
    "freeze",
    "get_weights",
    "ideal_image",
    "load_backbone",
    "load_classifier",
    "load_source_classifier",
    "logit_gradient",
    "predict_proba",
    "save_classifier",
    "set_seed",
    "set_weights",
    "unfreeze",
]
