"""How near an image is to being wrong, by a linear estimate: its margin in units of what the gradient promises.

As in Hein and Andriushchenko ("Formal guarantees on the robustness of a classifier", 2017) and in DeepFool: on a linear
network of two classes the estimate is exact, and an image that is farther than one radius cannot be broken.
"""

from contextlib import suppress

import torch

from holdfast.attacks.attack import at_rest
from holdfast.attacks.watched import Watched
from holdfast.errors import NoGradient
from holdfast.evaluation import exact_products
from holdfast.objectives import margin
from holdfast.threats import Threat
from holdfast.types import Images, Labels, Network, PerImage


def slope(model: Network, images: Images, labels: Labels, threat: Threat) -> PerImage:
    """Return how much a whole radius can change the margin, by the gradient at each image: eps times its dual norm.

    0 where the gradient is, and where none reaches the images.
    """
    watched, x = Watched(model, labels), images.detach().clone().requires_grad_()
    with suppress(NoGradient), at_rest(model), torch.enable_grad(), exact_products(images.device):
        gradient = watched.gradient(margin(watched(x), labels), x)
        found: PerImage = (threat.eps * threat.dual(gradient)).nan_to_num(0.0)
        return found
    return torch.zeros_like(images.flatten(1)[:, 0])
