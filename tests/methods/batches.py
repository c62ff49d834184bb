"""A batch of made-up images that tests of methods share."""

import torch

from holdfast.data import made_up_images
from holdfast.types import Batch


def a_batch(count: int = 16) -> Batch:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(count))
    return Batch(data.take(torch.arange(count)), data.labels, torch.arange(count))
