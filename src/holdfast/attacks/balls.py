"""What the minimum-norm attacks share: a ball whose radius is each image's own, and the shortest break found so far.

DDN and FMN walk along the surface of a ball that shrinks where the image is broken and grows where it is not.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.attacks.attack import succeeded
from holdfast.attacks.watched import Watched
from holdfast.threats import L0, L1, L2, Linf, Threat, per_image
from holdfast.types import Flags, Images, Index, Objective, PerImage, Targets


def onto_ball(threat: Threat, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
    """Return the nearest change (in Euclidean length) whose size in the threat's norm is at most `radius`.

    `change` has shape (n, c, h, w), `radius` is 0 or more, infinity included; the threat's own eps plays no part. In L0
    the radius is rounded down to a count, and of equal changes the first are kept; with `most`, a number that no radius
    exceeds, so many values are looked at instead of all.
    """
    if isinstance(threat, Linf):
        return change.clamp(-per_image(radius), per_image(radius))
    if isinstance(threat, L2):
        length = threat.dual(change)
        return change * per_image(torch.where(length > radius, radius / length, torch.ones_like(length)))
    size = change.abs().flatten(1)
    if isinstance(threat, L1):
        return (change.sign().flatten(1) * (size - soft(size, radius)).clamp_min(0)).view_as(change)
    assert isinstance(threat, L0), f"no projection is known onto {threat}"
    return change * largest(size, radius, size.shape[1] if most is None else most).view_as(change)


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


def soft(size: Tensor, radius: PerImage) -> Tensor:
    """Return the number, shape (n, 1), by which magnitudes (n, d) shrink so that they add up to at most `radius`.

    Duchi et al.: "Efficient projections onto the l1-ball for learning in high dimensions", 2008, figure 1.
    """
    ordered = size.sort(dim=1, descending=True).values
    count = torch.arange(1, size.shape[1] + 1, device=size.device)
    number = (ordered.cumsum(1, dtype=torch.float64) - radius[:, None]) / count  # what the largest must lose each
    last = ((ordered > number).sum(1, keepdim=True) - 1).clamp_min(0)
    return number.gather(1, last).clamp_min(0).to(size.dtype)


def furthest(threat: Threat, images: Images) -> PerImage:
    """Return the distance to the corner of the box that is furthest from each image."""
    corner = (images < 0.5).float()
    if isinstance(threat, L0):
        return torch.full_like(corner[:, 0, 0, 0], math.prod(images.shape[1:]))
    return threat.distance(corner, images)


@torch.no_grad()
def answer(model: Watched, x: Images, targets: Targets, objective: Objective) -> tuple[PerImage, Flags]:
    """Return the objective and which images are broken, in one forward pass."""
    outputs = model(x)
    return objective(outputs, targets).float(), succeeded(objective, outputs, targets)


def look(model: Watched, x: Images, targets: Targets, objective: Objective) -> tuple[PerImage, Flags, Tensor]:
    """Return the objective, which images are broken, and the way up: one forward and one backward pass."""
    x = x.detach().requires_grad_()
    outputs = model(x)
    loss = objective(outputs, targets)
    return loss.detach().float(), succeeded(objective, outputs, targets), model.gradient(loss, x)


@dataclass(frozen=True)
class Shortest:
    """The shortest break of each image found so far; `keep` and `take` write into its tensors."""

    threat: Threat
    images: Images
    x: Images
    """The image itself where no break is found."""
    length: PerImage
    """Infinity where no break is found."""

    @classmethod
    def none(cls, threat: Threat, images: Images) -> "Shortest":
        """Begin with no break at all."""
        return cls(threat, images, images.clone(), images.new_full((len(images),), torch.inf))

    def keep(self, place: Index, x: Images, broken: Flags) -> Flags:
        """Take those of `x`, met for the images at `place`, that are broken and nearer than before; return `broken`."""
        self.take(place, x, self.threat.distance(x, self.images[self.rows(place)]), broken)
        return broken

    def take(self, place: Index, x: Images, length: PerImage, broken: Flags) -> None:
        """Do the same where the distance of each is known."""
        rows = self.rows(place)
        better = broken & (length < self.length[rows])
        # With weights 0 and 1 that is torch.where, to the last bit, in a third of its time.
        self.x[rows] = self.x[rows].lerp(x, per_image(better.float()))
        self.length[rows] = torch.where(better, length, self.length[rows])

    def rows(self, place: Index) -> Index | slice:
        """Return the rows of the images at `place`, which is in order: all of them as a slice, which copies nothing."""
        return slice(None) if len(place) == len(self.length) else place

    def unsettled(self, place: Index) -> Tensor | slice:
        """Return which rows of `place` go on: inside a finite eps one break is enough, else all look for a shorter."""
        if self.threat.eps == math.inf:
            return slice(None)
        return (self.length[place] > self.threat.eps).nonzero()[:, 0]

    def inside(self) -> Images:
        """Return the breaks, those longer than eps cut to the ball."""
        within = per_image(self.length <= self.threat.eps)
        return torch.where(within, self.x, self.threat.project(self.x, self.images))
