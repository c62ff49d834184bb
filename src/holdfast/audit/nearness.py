"""How near an image is to being wrong, by a linear estimate: its margin in units of what the gradient promises.

As in Hein and Andriushchenko ("Formal guarantees on the robustness of a classifier", 2017) and in DeepFool: on a linear
network of two classes an image that is farther than one radius cannot be broken, and away from the walls of the box, in
L-inf, L2 and L1, one that is nearer can.
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
    """Return how much a whole radius can change the margin at most, by its gradient there: eps times its dual norm.

    0 where the gradient is, and where none reaches the images.
    """
    if len(images) == 0:
        return torch.zeros_like(images.flatten(1)[:, 0])
    watched = Watched(model, labels)
    tracked = (torch.inference_mode(False), torch.enable_grad())
    with suppress(NoGradient), at_rest(model), tracked[0], tracked[1], exact_products(images.device):
        x = images.detach().clone().requires_grad_()
        gradient = watched.gradient(margin(watched(x), labels.clone()), x)
        found: PerImage = (threat.eps * threat.dual(gradient)).nan_to_num(0.0)
        return found
    return torch.zeros_like(images.flatten(1)[:, 0])
