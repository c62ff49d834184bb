"""Where a climb came, and which of two points of an image is kept: the first break, else the one of highest value."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from holdfast.threats import per_image
from holdfast.types import Flags, Images, Index, PerImage


class Reached(NamedTuple):
    """Where a climb came: whether it broke an image, the break or else the best point, and the value there."""

    broken: Flags
    best: Images
    value: PerImage

    @classmethod
    def nothing(cls, images: Images) -> "Reached":
        """Begin with the images themselves, which any point is better than; `take` writes into these tensors."""
        unbroken = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        return cls(unbroken, images.clone(), images.new_full((len(images),), -torch.inf))

    def take(self, rows: Index, other: "Reached") -> None:
        """Take over, in place, what is broken or of higher value; row i of `other` is the image `rows[i]`."""
        better = other.broken | (other.value > self.value[rows])
        self.best[rows] = torch.where(per_image(better), other.best, self.best[rows])
        self.value[rows] = torch.where(better, other.value, self.value[rows])
        self.broken[rows] |= other.broken


def restarted(count: int, images: Images, climb: Callable[[int, Index], Reached], held: Flags | None = None) -> Reached:
    """Climb `count` times with the images that hold, at first all or these; what a climb breaks leaves.

    `climb` is given the number of the restart, from 0, and the rows of the images that it starts from.
    """
    reached = Reached.nothing(images)
    for restart in range(count):
        left = ~reached.broken if held is None else held & ~reached.broken
        rows = left.nonzero()[:, 0]
        if len(rows) == 0:
            break
        reached.take(rows, climb(restart, rows))
    return reached
