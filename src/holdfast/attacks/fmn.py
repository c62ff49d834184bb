"""FMN (Pintor, Roli, Brendel, Biggio: "Fast minimum-norm adversarial attacks through adaptive norm constraints", 2021,
algorithm 1): gradient steps, projected onto a ball that follows the boundary, in L0, L1, L2 and L-inf.

Two differences. Until an image is broken its radius grows at least as fast as it does later: the paper's goes to the
linearised boundary and no further, which a piecewise linear network reaches and never crosses (in L2, published codes
break 2 of 28 digits so, and this 28). And where the paper moves a start to the boundary by halving, it is taken as it
is.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Interval, NonNegative
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L0, L2, Threat
from holdfast.types import Flags, Images, Objective, PerImage, Targets

ASKED = 10
"""In L0 the device is asked for its largest radius at every tenth step; in between, a bound on its growth does."""


@dataclass(frozen=True)
class FMN(Attack):
    """Steps along the boundary, in a ball that shrinks where the image is broken and grows where not; minimum-norm.

    The threat's norm is the one that is minimised. It is defined in all of them and the one to take in none: FAB finds
    shorter ways in L-inf, DDN in L2, ALMA in L1, SigmaZero in L0. With a finite eps an image is through once it is
    broken inside the ball, and a longer break is cut. An image that is already misclassified, or is never broken, is
    returned as it is.
    """

    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 100
    step_size: NonNegative = 1.0
    """The Euclidean length of the first step, under every norm; a cosine takes it to a hundredth."""
    gamma: Annotated[float, Interval(0, 1, "()")] = 0.05
    """The share by which the radius shrinks or grows at the first step."""
    gamma_final: Annotated[float, Interval(0, 1, "[)")] = 0.001
    """That share at the last one."""
    objective: Objective = margin
    """Zero at the boundary and above it where the image is broken: from it the first radius is guessed."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk, and keep the shortest break met on the way."""
        best, first = Shortest.none(self.threat, images), images if start is None else start
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        x0, x, y = images[place], first[place], targets[place]
        counts, euclid, most = isinstance(self.threat, L0), L2(), 1
        eps, limit = self.threat.distance(x, x0).clamp_min(1.0 if counts else 0.0), self.threat.furthest(x0)
        for k in range(self.steps):
            if len(place) == 0:
                break
            cosine = (1 + math.cos(math.pi * k / self.steps)) / 2
            gamma = self.gamma_final + (self.gamma - self.gamma_final) * cosine
            alpha = self.step_size * (0.01 + 0.99 * cosine)
            loss, broken, g = look(model, x, y, self.objective)
            length = self.threat.distance(x, x0)
            best.take(place, x, length, broken)
            to_plane = length + loss.abs() / self.threat.dual(g).clamp_min(1e-12)
            shortest = best.length[best.rows(place)]
            if counts:
                most = int(eps.max()) if k % ASKED == 0 else most
                most = max(most + 1, math.ceil(most * (1 + gamma)))
            eps = self.resized(eps, shortest, broken, gamma, to_plane).minimum(limit)
            delta = x + alpha * euclid.ascent(g) - x0
            x = (x0 + self.threat.cut(delta, eps, most)).clamp(0, 1)
            rows = best.unsettled(place)
            place, x0, x, y, eps, limit = (each[rows] for each in (place, x0, x, y, eps, limit))
        if len(place):
            best.keep(place, x, answer(model, x, y, self.objective)[1])
        return best.inside()

    def resized(self, eps: PerImage, shortest: PerImage, broken: Flags, gamma: float, to_plane: PerImage) -> PerImage:
        """Return the next radius: less where the image is broken, more where it is not.

        As long as no break is known it reaches at least the linearised boundary, `to_plane` away. In L0 there is no
        such plane; the radius is a count, and changes by at least one.
        """
        less, more = eps * (1 - gamma), eps * (1 + gamma)
        if isinstance(self.threat, L0):
            less, more = less.floor().minimum(eps - 1).clamp_min(1), more.floor().maximum(eps + 1)
        else:
            more = torch.where(shortest < torch.inf, more, more.maximum(to_plane))
        return torch.where(broken, less.minimum(shortest), more)
