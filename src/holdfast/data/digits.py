"""The handwritten digits that come with scikit-learn: 1,797 grey images of 8 x 8 (Alpaydin and Kaynak, 1998).

They need no files and no network. They have no official division, so ours is fixed here: 1,297 to train and 500 to
test, drawn class by class with seed 0, each part in scikit-learn's order.
"""

import numpy as np
import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request

CLASSES = tuple("0123456789")


def read(request: Request) -> ImageSet:
    """Return the digits; their 17 levels of grey become 0, 1/16, ..., 1."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    found = load_digits()
    parts = train_test_split(np.arange(len(found.target)), test_size=500, stratify=found.target, random_state=0)
    chosen = np.sort(parts[0 if request.train else 1])
    images = torch.from_numpy(found.images[chosen]).float()[:, None] / 16
    return ImageSet(images, torch.from_numpy(found.target[chosen]).long(), CLASSES)
