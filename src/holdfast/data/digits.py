"""Handwritten digits that come with holdfast: 1,797 grey images of 8 x 8 (Alpaydin and Kaynak, 1998).

They need no files of yours and no network; `digits.md` beside this file says where they are from. They have no official
division, so ours is fixed in `digits.npz`: 1,297 to train and 500 to test, drawn class by class once and for all.
"""

from importlib import resources

import numpy as np
import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request

CLASSES = tuple("0123456789")


def read(request: Request) -> ImageSet:
    """Return the digits; their 17 levels of grey become 0, 1/16, ..., 1."""
    with resources.files("holdfast.data").joinpath("digits.npz").open("rb") as file, np.load(file) as found:
        chosen = found["test"] != request.train
        images, labels = found["images"][chosen], found["labels"][chosen]
    return ImageSet(torch.from_numpy(images).float()[:, None] / 16, torch.from_numpy(labels).long(), CLASSES)
