"""What a layer of a network at rest answers to images: what maps and nearest neighbours are made of."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.attacks.attack import at_rest
from holdfast.devices import exact_products
from holdfast.models import capture
from holdfast.types import Images


def features(model: nn.Module, images: Images, layer: str) -> Tensor:
    """Return the output of a named layer of the network at rest, shape (n, features), float32 on the images' device."""
    return layer_output(model, images, layer).flatten(1)


def directions(model: nn.Module, images: Images, layer: str) -> Tensor:
    """Return the features at unit length; float64, as those of one class differ by little."""
    return F.normalize(features(model, images, layer).double(), dim=1)


@torch.no_grad()
def layer_output(model: nn.Module, images: Images, layer: str) -> Tensor:
    """Return the output of a named layer of the network at rest, float32 on the images' device."""
    exact = torch.autocast(images.device.type, enabled=False), exact_products(images.device)
    with at_rest(model), capture(model, layer) as caught, exact[0], exact[1]:
        model(images)
    return caught[layer].float()
