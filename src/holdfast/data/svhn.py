"""Street View House Numbers (Netzer et al., 2011), in the official cropped .mat files."""

import numpy as np
import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request


def read(request: Request) -> ImageSet:
    """Return SVHN: colour images of 32 x 32; the files call the digit 0 class 10, torchvision makes it 0."""
    from torchvision.datasets import SVHN

    with request.reading(request.root):
        found = SVHN(request.root, split=request.split, download=request.download)
    images = torch.from_numpy(np.ascontiguousarray(found.data))
    return ImageSet(images, torch.from_numpy(found.labels).long(), tuple("0123456789"))
