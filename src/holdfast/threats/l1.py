"""L1: the sum of all changes is limited, so few pixels move far."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.fields import NonNegative, Share
from holdfast.rng import Stream
from holdfast.threats.threat import Sparse, free, landed, norm, per_image, scaled
from holdfast.types import Images, PerImage

HALVINGS = 30
"""How often an interval of pixel values is halved: to less than a unit in the last place of float32."""


@dataclass(frozen=True)
class L1(Sparse):
    """The changes of all pixels add up to at most `eps`."""

    eps: NonNegative = 12.0
    share: Share = 0.01
    """The share of the values that one ascent step moves (Tramer and Boneh, 2019)."""

    def project(self, images: Images, center: Images) -> Images:
        """Return the nearest point of ball and box: every change shrinks by one number and stops at its wall.

        That number is found by halving an interval; what its last digit leaves over is scaled away.
        """
        change = (images - center).flatten(1)
        size, room = change.abs(), torch.where(change > 0, 1 - center.flatten(1), center.flatten(1))
        low, high = torch.zeros_like(size[:, :1]), size.amax(1, keepdim=True)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            over = (size - middle).clamp_min(0).minimum(room).sum(1, keepdim=True) > self.eps
            low, high = torch.where(over, middle, low), torch.where(over, high, middle)
        fits = size.minimum(room).sum(1, keepdim=True) <= self.eps
        shrunk = (size - torch.where(fits, torch.zeros_like(high), high)).clamp_min(0).minimum(room)
        kept = scaled((change.sign() * shrunk).view_as(center), norm(shrunk, 1), self.eps)
        return landed(self, center, kept)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Draw evenly from the ball: exponential magnitudes with random signs, scaled to a random radius."""
        shape = center.shape[1:]
        size = -(1 - stream.split("size").uniform(shape)).log()
        sign = (stream.split("sign").uniform(shape) < 0.5).float() * 2 - 1
        radius = stream.split("radius").uniform((1,))[:, 0] ** (1 / center[0].numel())
        total = size.flatten(1).sum(1).clamp_min(1e-30)
        return self.project(center + sign * size * per_image(radius * min(self.eps, center[0].numel()) / total), center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return equal steps on the largest entries, which add up to one."""
        gradient = free(gradient, images)
        size = gradient.abs().flatten(1)
        count = max(1, round(self.share * size.shape[1]))
        place = size.topk(count, dim=1).indices
        signs = gradient.flatten(1).gather(1, place).sign() / count
        return torch.zeros_like(size).scatter(1, place, signs).view_as(gradient)

    def corner(self, gradient: Tensor, center: Images) -> Images:
        """Return the point of ball and box where a linear function of this gradient is highest.

        The largest entries take their value to its wall, one after another, until eps is spent.
        """
        slope, pixels = gradient.flatten(1), center.flatten(1)
        room = torch.where(slope > 0, 1 - pixels, pixels)
        order = slope.abs().sort(dim=1, descending=True, stable=True).indices
        wanted = room.gather(1, order)
        spent = (self.eps - (wanted.cumsum(1) - wanted)).clamp_min(0).minimum(wanted)
        change = torch.zeros_like(room).scatter(1, order, spent) * slope.sign()
        return self.project(center + change.view_as(center), center)

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the sum of the changes."""
        return norm(images - center, 1)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the largest magnitude."""
        return gradient.abs().flatten(1).amax(1)

    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Take the same number from every magnitude."""
        size = change.abs().flatten(1)
        return (change.sign().flatten(1) * (size - soft(size, radius)).clamp_min(0)).view_as(change)

    def diameter(self, images: Images) -> float:
        """Return the number of values."""
        return float(math.prod(images.shape[1:]))


def soft(size: Tensor, radius: PerImage) -> Tensor:
    """Return the number, shape (n, 1), by which magnitudes (n, d) shrink so that they add up to at most `radius`.

    Duchi et al.: "Efficient projections onto the l1-ball for learning in high dimensions", 2008, figure 1.
    """
    ordered = size.sort(dim=1, descending=True).values
    count = torch.arange(1, size.shape[1] + 1, device=size.device)
    number = (ordered.cumsum(1, dtype=torch.float64) - radius[:, None]) / count  # what the largest must lose each
    last = ((ordered > number).sum(1, keepdim=True) - 1).clamp_min(0)
    return number.gather(1, last).clamp_min(0).to(size.dtype)
