"""Resizing and padding at random: Xie et al., "Mitigating adversarial effects through randomization" (2018).

The authors enlarge images of 299 rows to a random size below 331 and pad them with grey to 331. Here the frame is the
image's own size, because many networks take no other, and the image is shrunk by what the authors' sizes are of their
frame: from 299 / 331 up to 1. Each image of a batch has its own draw; the authors' batches share one.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.defences.defence import Defence
from holdfast.fields import Share
from holdfast.types import Images

GREY = 0.5


@dataclass(frozen=True)
class RandomResizePad(Defence):
    """Shrinks each image at random, to the nearest pixels, and puts it anywhere in a grey frame of its old size.

    defend(classifier, RandomResizePad())
    """

    random: ClassVar[bool] = True
    smallest: Share = 299 / 331
    """The least size that is drawn, as a share of the image's."""

    def __call__(self, images: Images) -> Images:
        """Return the images in their frames."""
        size = torch.rand(len(images), 1, device=images.device)
        rows, columns = (self._sources(length, size) for length in images.shape[2:])
        inside = (rows >= 0)[:, None, :, None] & (columns >= 0)[:, None, None, :]
        which = torch.arange(len(images), device=images.device)[:, None, None]
        # Indexing puts the channels last.
        seen = images.movedim(1, -1)[which, rows.clamp_min(0)[:, :, None], columns.clamp_min(0)[:, None, :]]
        return torch.where(inside, seen.movedim(-1, 1), GREY)

    def _sources(self, length: int, size: Tensor) -> Tensor:
        """Return which row, or column, of each image is seen where in the frame; -1 where it is grey."""
        least = max(1, round(self.smallest * length))
        drawn = least + (size * (length - least + 1)).long().clamp_max(length - least)
        first = (torch.rand_like(size) * (length - drawn + 1)).long().minimum(length - drawn)
        place = torch.arange(length, device=size.device) - first
        return torch.where((place >= 0) & (place < drawn), place * length // drawn, -1)
