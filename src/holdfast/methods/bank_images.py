"""What a bank holds: the iter_FGSM images of a network for eps 1/255, 2/255, …, in whole bytes (paper 002, 6)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from holdfast.attacks import BIM
from holdfast.attacks.bim import iterations
from holdfast.threats import Linf
from holdfast.types import Images, Labels


def climbs(model: nn.Module, clean: Tensor, labels: Labels, largest: int) -> Iterable[Tensor]:
    """Yield the iter_FGSM images for eps 1, 2, …, in bytes.

    No step of 1/255 leaves a ball before as many steps as its eps, so up to there all eps share one path.
    """
    images = clean.float() / torch.full((), 255.0, device=clean.device)
    path = images
    for eps in range(1, largest + 1):
        threat = Linf(eps / 255)
        path = bytes_of(BIM(threat, 1, 1 / 255)(model, images, labels, path))
        steps = iterations(eps) - eps
        end = bytes_of(BIM(threat, steps, 1 / 255)(model, images, labels, path)) if steps else path
        yield (255 * end).round().byte()


def bytes_of(images: Images) -> Images:
    """Return the images on the bytes that they are nearest to, without what float32 adds up over many steps."""
    return (255 * images).round() / torch.full((), 255.0, device=images.device)
