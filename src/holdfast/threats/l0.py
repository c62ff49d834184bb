"""L0: few values may change, by any amount."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from holdfast.errors import require
from holdfast.fields import NonNegative
from holdfast.rng import Stream
from holdfast.threats.threat import Sparse, free, of_unit_size
from holdfast.types import Images, PerImage


@dataclass(frozen=True)
class L0(Sparse):
    """At most `eps` values (pixel times channel) may change, by any amount."""

    eps: NonNegative = 20

    def __post_init__(self) -> None:
        """Refuse a part of a value."""
        super().__post_init__()
        require(self.eps == math.inf or self.eps % 1 == 0, f"L0 eps = {self.eps}: a count of values is a whole number")

    def project(self, images: Images, center: Images) -> Images:
        """Keep the largest changes and undo the others."""
        images = images.clamp(0, 1)
        size = (images - center).abs().flatten(1)
        count = int(min(self.eps, size.shape[1]))
        place = size.topk(count, dim=1).indices
        kept = torch.zeros_like(size, dtype=torch.bool).scatter(1, place, True).view_as(images)
        return torch.where(kept, images, center)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Set eps random values to random numbers."""
        shape = center.shape[1:]
        count = int(min(self.eps, center[0].numel()))
        place = stream.split("place").uniform(shape).flatten(1).topk(count, dim=1).indices
        values = stream.split("value").uniform(shape).flatten(1)
        return center.flatten(1).scatter(1, place, values.gather(1, place)).view_as(center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the gradient with its largest entry at one."""
        gradient = free(gradient, images)
        return of_unit_size(gradient, self.dual(gradient))

    def corner(self, gradient: Tensor, center: Images) -> Images:
        """Return the point of ball and box where a linear function of this gradient is highest.

        The eps values that gain most on the way to their walls are at them; one that gains nothing stays.
        """
        slope, pixels = gradient.flatten(1), center.flatten(1)
        wall = (slope > 0).to(pixels.dtype)
        gain = slope * (wall - pixels)
        wall = torch.where(gain > 0, wall, pixels)
        place = gain.topk(int(min(self.eps, gain.shape[1])), dim=1).indices
        return pixels.scatter(1, place, wall.gather(1, place)).view_as(center)

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return how many values changed."""
        return (images != center).flatten(1).sum(1).float()

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the largest magnitude."""
        return gradient.abs().flatten(1).amax(1)

    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Keep the largest changes, as many as the radius rounded down says, of equal ones the first."""
        size = change.abs().flatten(1)
        return change * largest(size, radius, size.shape[1] if most is None else most).view_as(change)

    def diameter(self, images: Images) -> float:
        """Return the number of values."""
        return float(math.prod(images.shape[1:]))

    def step(self, share: float = 1.0, steps: float = 1) -> float:
        """Return 1, which takes a value from one wall of the box to the other.

        Smaller steps, however many there are, never let go of the values chosen first.
        """
        return 1.0

    def furthest(self, images: Images) -> PerImage:
        """Return the number of values: those at one half are in no corner, but may change."""
        return torch.full_like(images[:, 0, 0, 0], math.prod(images.shape[1:]))

    def of_radius(self, eps: float) -> "L0":
        """Return the threat with another radius, a whole one and no less than 1."""
        return replace(self, eps=max(1, round(eps)))


def largest(size: Tensor, count: PerImage, most: int) -> Tensor:
    """Return where the `count` largest of the magnitudes (n, d) stand in their row, of equal ones the first.

    No count is above `most`, unless that is d.
    """
    top = size.topk(min(most, size.shape[1]), dim=1).values
    count = count.clamp_max(top.shape[1]).long()[:, None]
    last = top.gather(1, (count - 1).clamp_min(0))
    above, level = size > last, size == last
    places = count - above.sum(1, keepdim=True)
    return above | (level & (level.cumsum(1, dtype=torch.int32) <= places))
