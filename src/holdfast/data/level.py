"""Images in which every pixel has the mean of its channel, as networks saw CIFAR-10 that subtract a mean image.

Of crops and mirror images nobody can tell afterwards which part of a mean image belongs to them. Here the mean image of
the training images is taken off before, and the mean of each channel put back: a network that subtracts the mean of
each channel then sees crops of images less their mean image.
"""

from dataclasses import replace

import torch
from torch import Tensor

from holdfast.data.image_set import ImageSet

LEVEL = "level"
"""The kind of source: `level:NAME`."""
CHUNK = 1_000


def levelled(found: ImageSet, train: ImageSet) -> ImageSet:
    """Return the images with the shift of each pixel that makes the training images level, in [0, 1] as before.

    Bytes stay bytes: the shift is in whole bytes. Values that leave [0, 255] are clipped (of CIFAR-10 (JPEG) 1.4 %, by
    up to 22 of 255): there an image is not exactly the image less its mean image.
    """
    shift = unevenness(train.images)
    if found.images.dtype != torch.uint8:
        return replace(found, pixels=(found.images - shift / 255).clamp(0, 1))
    whole = shift.round().short()
    parts = [(part.short() - whole).clamp(0, 255).byte() for part in found.images.split(CHUNK)]
    return replace(found, pixels=torch.cat(parts))


def unevenness(images: Tensor) -> Tensor:
    """Return how far the mean of each pixel (c, h, w) lies above the mean of its channel, in 255ths."""
    scale = 1 if images.dtype == torch.uint8 else 255
    total = torch.stack([part.sum(0, dtype=torch.float64) for part in images.split(CHUNK)]).sum(0)
    mean = scale * total / len(images)
    return (mean - mean.mean((1, 2), keepdim=True)).float()


def levelled_like(name: str, other: str) -> str:
    """Return the name of another source, levelled if the first one is."""
    return f"{LEVEL}:{other}" if name.startswith(f"{LEVEL}:") and not other.startswith(f"{LEVEL}:") else other
