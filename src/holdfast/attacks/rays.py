"""RayS (Chen, Gu: "RayS: a ray searching method for hard-label adversarial attack", 2020, algorithms 1 to 3): of all
corners of the ball, the one towards which the boundary is nearest; asks for nothing but the class that is named.

Black-box attacks that climb the logits stall where a network shows none worth climbing; this one does not look at them.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, succeeded
from holdfast.attacks.balls import Shortest
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Positive
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import Linf, NormalisedLinf, Threat, per_image
from holdfast.types import Flags, Images, Index, PerImage, Targets

NONE = 2.0
"""The radius along which no break is known: from 1 on every pixel is at its wall. Times the threat's diameter."""


@dataclass(frozen=True)
class RayS(Attack):
    """Turn blocks of signs around, and keep a turn where the boundary comes nearer; minimum-norm, by labels alone.

    The blocks are the whole image, its halves, quarters and so on to single values, each in the order of channels, rows
    and columns; single values are turned again until none helps. With a finite eps an image is through once it is
    broken inside the ball, and goes on to its corner if that is a break too. Nothing is drawn at random.
    """

    gradient_free: ClassVar[bool] = True

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = Linf(math.inf)
    queries: Count = 10_000
    """How often an image is looked at after the first look at itself, at most."""
    tolerance: Positive = 2e-5
    """How closely the boundary is found, in the threat's unit, for Linf pixels of [0, 1].

    The paper's is 1e-3, in Euclidean length, on CIFAR-10.
    """

    @torch.no_grad()
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Halve the blocks from sweep to sweep; `start` gives the first signs, white where there is none."""
        diameter = self.threat.diameter(images)
        far, bounded = NONE * diameter, self.threat.eps < math.inf
        # Beyond the diameter nothing moves any more, and a radius of `far` says that no break is known.
        reach = min(self.threat.eps, diameter)
        rays = Rays(model, self.threat, images, targets, self.tolerance, far, *first(images, start, self.queries, far))
        active = (~succeeded(margin, model(images), targets)).nonzero()[:, 0]
        rays.turn(active, slice(0, 0))
        length, enough = images[0].numel(), reach if bounded else 0.0
        while len(active):
            moved = rays.radius.clone()
            for begin in range(0, images[0].numel(), length):
                active = active[(rays.left[active] > 0) & (rays.radius[active] > enough)]
                rays.turn(active, slice(begin, begin + length))
            active = active[(rays.radius < moved)[active]] if length == 1 else active
            length = math.ceil(length / 2)
        if bounded:
            rays.lengthen(reach)
        return rays.shortest().inside()


def first(images: Images, start: Images | None, queries: int, far: float) -> tuple[Tensor, PerImage, Tensor]:
    """Return the first signs, shape (n, d), radii and numbers of queries left."""
    towards = torch.ones_like(images) if start is None else start - images
    signs = 1 - 2 * (towards < 0).to(images.dtype).flatten(1)
    return signs, images.new_full((len(images),), far), torch.full((len(images),), queries, device=images.device)


@dataclass(frozen=True)
class Rays:
    """For each image the best signs so far and how far away the boundary is there; `turn` writes into them."""

    model: Watched
    threat: Threat
    images: Images
    targets: Targets
    tolerance: float
    far: float
    """The radius that says that no break is known."""
    signs: Tensor
    radius: PerImage
    left: Tensor
    """How many queries each image may still make."""

    def turn(self, place: Index, block: slice) -> None:
        """Turn the signs in a block around where that brings the boundary nearer (algorithm 3)."""
        turned = self.signs[place]
        turned[:, block] *= -1
        reached = self.boundary(place, turned)
        nearer = reached < self.radius[place]
        self.signs[place] = torch.where(nearer[:, None], turned, self.signs[place])
        self.radius[place] = reached

    def boundary(self, place: Index, signs: Tensor) -> PerImage:
        """Return the radius of the boundary along the signs, the known one where it is not nearer (algorithm 2)."""
        low, high = torch.zeros_like(self.radius[place]), self.radius[place]
        # One look at the known radius decides whether the boundary can be nearer at all.
        rows = self.wrong(place, signs, high).nonzero()[:, 0]
        while len(rows := rows[(high - low)[rows] > self.tolerance]):
            rows = rows[self.left[place[rows]] > 0]
            middle = (low[rows] + high[rows]) / 2
            # A tolerance below the spacing of numbers would be asked for until no query is left.
            apart = (low[rows] < middle) & (middle < high[rows])
            rows, middle = rows[apart], middle[apart]
            wrong = self.wrong(place[rows], signs[rows], middle)
            low[rows], high[rows] = torch.where(wrong, low[rows], middle), torch.where(wrong, middle, high[rows])
        return high

    def wrong(self, place: Index, signs: Tensor, radius: PerImage) -> Flags:
        """Ask for the class at a radius along the signs."""
        if len(place) == 0:
            return torch.zeros_like(place, dtype=torch.bool)
        self.left[place] -= 1
        return succeeded(margin, self.model(self.at(place, signs, radius)), self.targets[place])

    def at(self, place: Index | slice, signs: Tensor, radius: PerImage) -> Images:
        """Return the images at a radius along the signs, cut to [0, 1]."""
        return (self.images[place] + per_image(radius) * self.threat.ascent(signs.view_as(self.images[place]))).clamp(
            0, 1
        )

    def lengthen(self, eps: float) -> None:
        """Go on to eps where that is a break as well: one just behind a copy's boundary may be none on the network."""
        place = ((self.radius <= eps) & (self.left > 0)).nonzero()[:, 0]
        further = torch.full_like(self.radius[place], eps)
        self.radius[place] = torch.where(self.wrong(place, self.signs[place], further), further, self.radius[place])

    def shortest(self) -> Shortest:
        """Return the breaks that were found."""
        best = Shortest.none(self.threat, self.images)
        everywhere = torch.arange(len(self.images), device=self.images.device)
        best.keep(everywhere, self.at(everywhere, self.signs, self.radius), self.radius < self.far)
        return best
