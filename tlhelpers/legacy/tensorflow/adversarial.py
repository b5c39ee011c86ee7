"""Images made by climbing a gradient: adversarial ones (`attack`) and ideal ones (`ideal_image`)."""

from tlhelpers.legacy.tensorflow.attacks import attack, logit_gradient
from tlhelpers.legacy.tensorflow.ideal_images import ideal_image

__all__ = ["attack", "ideal_image", "logit_gradient"]
