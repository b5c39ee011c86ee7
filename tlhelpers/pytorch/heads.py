"""Cut a network's head off, put another in its place, freeze what shall not learn."""

from torch import nn


def replace_head(network: nn.Module, num_classes: int) -> nn.Module:
    """Puts a new linear layer in the place of the network's last part, whatever its name; the network is changed.

    Args:
        network: Any classifier of torchvision, timm or this course: `fc`, `classifier`, `heads`, ... is its last part.
        num_classes: Outputs of the new layer, whose weights are random; 0 for none, so that the network gives features.

    Returns:
        The new last part.
    """
    name, old = list(network.named_children())[-1]
    if num_classes == 0:
        new = nn.Identity()
    else:
        first = next(part for part in old.modules() if isinstance(part, nn.Linear))
        new = nn.Linear(first.in_features, num_classes)
    setattr(network, name, new)
    return new


def freeze(module: nn.Module) -> None:
    """Nothing in this module learns any more: no gradients, and BatchNorm keeps its statistics (see `train_epoch`)."""
    for parameter in module.parameters():
        parameter.requires_grad = False


def count_parameters(model: nn.Module) -> dict[str, int]:
    """How many numbers of the model training may change, and how many not."""
    counts = {"trainable": 0, "frozen": 0}
    for parameter in model.parameters():
        counts["trainable" if parameter.requires_grad else "frozen"] += parameter.numel()
    return counts
