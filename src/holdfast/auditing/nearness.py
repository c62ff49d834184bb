"""How near an image is to being wrong, by a linear estimate: its margin in units of what the gradient promises.

As in Hein and Andriushchenko ("Formal guarantees on the robustness of a classifier", 2017) and in DeepFool: on a linear
network of two classes an image that is farther than one radius cannot be broken. In L-inf, L2 and L1 one that is nearer
can, if no wall of the box is in the way.
"""

from contextlib import suppress

import torch

from holdfast.attacks.attack import at_rest, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.devices import exact_products
from holdfast.errors import NoGradient
from holdfast.objectives import margin
from holdfast.threats import Threat
from holdfast.types import Images, Labels, Network, PerImage


def slope(model: Network, images: Images, labels: Labels, threat: Threat) -> PerImage:
    """Return how much a change of size eps can change the margin, by the margin's gradient: eps times its dual norm.

    It is 0 where the gradient is 0, and where no gradient reaches the images.
    """
    found: PerImage = torch.zeros_like(images.flatten(1)[:, 0])
    if len(images) == 0:
        return found
    with (
        suppress(NoGradient),
        at_rest(model),
        torch.inference_mode(False),
        torch.enable_grad(),
        exact_products(images.device),
    ):  # what was made in inference mode cannot be differentiated; a clone can
        gradient = input_gradient(Watched(model, labels), images.clone(), labels.clone(), margin)
        found = (threat.eps * threat.dual(gradient)).nan_to_num(0.0)
    return found
