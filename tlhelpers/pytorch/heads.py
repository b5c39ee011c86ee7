"""Cut a network's head off, put another in its place, freeze what shall not learn."""

from torch import nn


def replace_head(network: nn.Module, num_classes: int) -> nn.Module:
    """Puts a new linear layer in the place of the network's last part, whatever its name; the network is changed.

    Args:
        network: A classifier that ends in one linear layer on pooled features, whatever its last part is called (`fc`,
            `classifier`, `heads`): most of torchvision's and timm's. `print(network)` shows where another one ends.
        num_classes: Outputs of the new layer, whose weights are random; 0 for none, so that the network gives features.

    Returns:
        The new last part.
    """
    name, old = list(network.named_children())[-1]
    if num_classes == 0:
        new = nn.Identity()
    else:
        linear = [part for part in old.modules() if isinstance(part, nn.Linear)]
        if not linear:
            raise ValueError(f"expected a linear layer in the last part, {name!r}, got {old}; replace it by hand")
        new = nn.Linear(linear[0].in_features, num_classes)
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
