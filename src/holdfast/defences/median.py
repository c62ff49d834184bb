"""The median of each pixel's neighbours, the other squeezer of Xu et al.: "Feature squeezing" (2018), section 4.2."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from holdfast.defences.defence import Defence
from holdfast.fields import Interval
from holdfast.types import Images


@dataclass(frozen=True)
class Median(Defence):
    """Replaces every value by the median of the window around it, channel by channel.

    Beyond the border the image is its own mirror, edge included. A window of even size reaches one further up and left,
    and of the two values in the middle the higher one is taken, as the authors' library does.

    defend(classifier, Median(2))
    """

    size: Annotated[int, Interval(2)] = 3
    """Xu et al. take 2 and 3."""

    def __call__(self, images: Images) -> Images:
        """Return the medians."""
        rows, columns = (_mirrored(length, self.size, images.device) for length in images.shape[2:])
        windows = images[:, :, rows][..., columns].unfold(2, self.size, 1).unfold(3, self.size, 1)
        middle = self.size**2 // 2
        # Stable, so that among equal values the gradient always goes to the same one.
        return windows.flatten(4).sort(stable=True).values[..., middle]


def _mirrored(length: int, size: int, device: torch.device) -> Tensor:
    """Return which rows, or columns, stand for those from `size // 2` before the first to the last window's end."""
    places = torch.arange(-(size // 2), length + (size - 1) // 2, device=device) % (2 * length)
    return torch.minimum(places, 2 * length - 1 - places)
