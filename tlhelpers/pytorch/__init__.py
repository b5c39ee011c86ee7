"""What is PyTorch's own: backbones, features, classifiers, training. `tlhelpers.tensorflow` has the same names."""

from tlhelpers.pytorch.adversarial import attack, ideal_image, logit_gradient
from tlhelpers.pytorch.backbones import BACKBONES, Backbone, load_backbone
from tlhelpers.pytorch.classifiers import (
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
from tlhelpers.pytorch.features import extract_features, feature_maps, predict_proba
from tlhelpers.pytorch.source_classifiers import load_source_classifier
from tlhelpers.pytorch.training import fit, set_seed

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
