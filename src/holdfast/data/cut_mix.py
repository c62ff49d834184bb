"""CutMix (Yun et al., 2019: "CutMix: regularization strategy to train strong classifiers with localizable features").

Rebuffi et al. (2021) found that it helps adversarial training where the weights are averaged.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.data.augment import Cropped
from holdfast.data.image_set import ImageSet
from holdfast.rng import Stream
from holdfast.types import Batch, Index, Mixture


@dataclass(frozen=True)
class CutMix(Cropped):
    """Put a window of another image of the set, drawn evenly, into each image, whose label then counts less.

    The window has the side sqrt(1 - lambda) of the image's, lambda even between 0 and 1, and is cut off at the border.
    Both images are cropped and mirrored before. Methods that take one label an image refuse it.
    """

    def batch(self, data: ImageSet, index: Index, epoch_seed: int) -> Batch:
        """Return the images at these positions with a window of another, and the labels of both."""
        own, stream = self.crop.batch(data, index, epoch_seed), Stream.at(index, epoch_seed, "CutMix")
        number = stream.uniform((4,))
        other = (number[:, 3] * len(data)).long().clamp_max(len(data) - 1)
        put = self.crop.apply(data.take(other), self.crop.views(stream.split("view"), data.shape))
        inside = window(number, (own.images.shape[2], own.images.shape[3]))
        images = torch.where(inside[:, None], put, own.images)
        return Batch(images, own.labels, index, None, Mixture(data.labels[other], inside.float().mean((1, 2))))


def window(number: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where the window of each image is, shape (n, rows, columns).

    The numbers are in [0, 1): lambda, and the place of the window's centre from the left and from above.
    """
    side = 0.5 * (1 - number[:, 0]).sqrt()
    found = []
    for place, length in zip(number[:, 1:3].unbind(1), (size[1], size[0]), strict=True):
        centre, half = (place * length).long(), (side * length).long()
        at = torch.arange(length, device=number.device)
        found.append((at >= (centre - half)[:, None]) & (at < (centre + half)[:, None]))
    columns, rows = found
    return rows[:, :, None] & columns[:, None, :]
