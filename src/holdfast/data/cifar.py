"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), in the official Python pickles.

A pickle can run code: torchvision opens these only when their checksums are the official ones.
"""

import warnings

import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request


def read_10(request: Request) -> ImageSet:
    """Return CIFAR-10: colour images of 32 x 32."""
    return _read(request, "CIFAR10")


def read_100(request: Request) -> ImageSet:
    """Return CIFAR-100: colour images of 32 x 32; the classes are the fine ones."""
    return _read(request, "CIFAR100")


def _read(request: Request, title: str) -> ImageSet:
    from torchvision import datasets

    official = getattr(datasets, title)
    with request.reading(request.root / official.base_folder), warnings.catch_warnings():
        # The pickles are of 2009, and recent NumPy warns about how they spell their dtype.
        warnings.simplefilter("ignore")
        found = official(request.root, train=request.train, download=request.download)
    images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
    return ImageSet(images, torch.tensor(found.targets), tuple(found.classes))
