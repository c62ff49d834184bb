"""DDN (Rony et al.: "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and defenses",
2019, algorithm 1): the gradient turns the change, and whether the image is broken sets its length."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Interval, NonNegative, Positive
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class DDN(Attack):
    """Gradient steps on a sphere that shrinks while the image is broken and grows while it is not; minimum-norm.

    For L2: the one to take for a hundred steps, on networks trained in that norm or not at all. With a finite eps an
    image is through once it is broken inside the ball, and a longer break is cut. An image that is already
    misclassified, or is never broken, is returned as it is. Where the gradient is zero the change keeps its direction
    (the authors' code turns it at random): a saturated network wants `objective=margin`.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2,)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 100
    step_size: NonNegative = 1.0
    """The length of the first step; a cosine takes it to a hundredth."""
    gamma: Annotated[float, Interval(0, 1, "()")] = 0.05
    """The share by which the radius shrinks or grows at each step."""
    initial_norm: Positive = 1.0
    """The first radius; where a start is given, its own distance."""
    levels: Annotated[int, Interval(2)] | None = None
    """How many values a pixel can take, 256 for images to be stored in bytes; any where none is given.

    A finite eps may cut a break to values between them.
    """
    objective: Objective = cross_entropy

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk, and keep the shortest break met on the way."""
        best, first = Shortest.none(self.threat, images), images if start is None else self.quantised(start)
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        x0, x, y = images[place], first[place], targets[place]
        eps, limit = self.threat.distance(x, x0), self.threat.furthest(x0)
        eps = torch.where(eps > 0, eps, self.initial_norm)
        for k in range(self.steps):
            if len(place) == 0:
                break
            _, broken, g = look(model, x, y, self.objective)
            best.keep(place, x, broken)
            alpha = self.step_size * (0.01 + 0.99 * (1 + math.cos(math.pi * k / self.steps)) / 2)
            delta = x + alpha * self.threat.ascent(g) - x0
            # Not in the paper, but in the authors' code: no radius beyond the last corner of the box.
            eps = torch.where(broken, (1 - self.gamma) * eps, (1 + self.gamma) * eps).minimum(limit)
            x = self.quantised((x0 + per_image(eps) * self.threat.ascent(delta)).clamp(0, 1))
            rows = best.unsettled(place)
            place, x0, x, y, eps, limit = (each[rows] for each in (place, x0, x, y, eps, limit))
        if len(place):
            best.keep(place, x, answer(model, x, y, self.objective)[1])
        return best.inside()

    def quantised(self, x: Images) -> Images:
        """Round pixels to the values that they can take."""
        return x if self.levels is None else (x * (self.levels - 1)).round() / (self.levels - 1)
