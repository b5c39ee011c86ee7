"""What both frameworks say of a classifier: how many parameters train, and the head of a saved file."""

import json
from dataclasses import dataclass
from pathlib import Path

from tlhelpers.errors import WeightsError


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of a model that training changes, and that it leaves alone."""

    trainable: int
    frozen: int

    def __str__(self) -> str:
        total = self.trainable + self.frozen
        share = self.trainable / total if total else 0.0
        return f"{total:,} parameters, {self.trainable:,} of them trainable ({share:.2%})"


def write_classifier_metadata(framework: str, classifier, class_names: tuple[str, ...]) -> dict[str, str]:
    """The text entries of a safetensors file for a classifier of `framework`."""
    if len(class_names) != classifier.num_classes:
        raise ValueError(f"expected {classifier.num_classes} class names, got {len(class_names)}: {class_names}")
    backbone = classifier.backbone
    settings = {"framework": framework, "backbone": backbone.name, "layer": backbone.layer,
                "input_size": backbone.input_size, "preprocessing": list(backbone.preprocessing.mean),
                "class_names": list(class_names)}  # fmt: skip
    return {"tlhelpers": json.dumps(settings)}


def read_classifier_metadata(path: Path, framework: str) -> dict:
    """The entries that `write_classifier_metadata` made.

    Raises:
        WeightsError: where there is no such file, or it was saved by something else.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise WeightsError(f"expected a saved classifier, found nothing at {path}")
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"expected a safetensors file in {path}, cannot read it: {error}") from error
    if "tlhelpers" not in metadata:
        raise WeightsError(f"expected a file of save_classifier, but {path} was written by something else")
    settings = json.loads(metadata["tlhelpers"])
    if settings["framework"] != framework:
        raise WeightsError(
            f"{path} was saved from {settings['framework']}; load it with tlhelpers.{settings['framework']}"
        )
    return settings
