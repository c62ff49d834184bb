"""What the minimum-norm attacks share: a ball whose radius is each image's own, and the shortest break found so far.

DDN and FMN walk along the surface of a ball that shrinks where the image is broken and grows where it is not.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.attacks.attack import succeeded
from holdfast.attacks.watched import Watched
from holdfast.threats import Threat, per_image
from holdfast.types import Flags, Images, Index, Objective, PerImage, Targets


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


def begin(model: Watched, images: Images, targets: Targets, start: Images | None, objective: Objective) -> Images:
    """Return what a walk begins with: the start where one is given, but the image itself where it is broken already."""
    if start is None:
        return images.clone()
    return torch.where(per_image(answer(model, images, targets, objective)[1]), images, start)


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
