"""ALMA (Rony, Granger, Pedersoli, Ben Ayed: "Augmented Lagrangian adversarial attacks", 2021, algorithm 1): the
shortest way under the constraint that the image is broken, whose multiplier grows for as long as it is not."""

import math
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, Interval, NonNegative, Positive, Share
from holdfast.objectives import crosses_zero, dlr
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Threat, per_image
from holdfast.types import Flags, Images, Index, Objective, PerImage, Targets

DOUBLINGS, HALVINGS = 30, 20
"""Of the search for the first step."""
LEAST, MOST = 1e-6, 1e12
"""Where the multiplier is cut, as in the paper; the penalty's slope too, whose square would leave float32."""


@dataclass(frozen=True)
class ALMA(Attack):
    """Descent on the distance and a penalty for standing, each image with its own weight of it; a minimum-norm attack.

    For L2 and L1 at hundreds of steps, on networks trained in that norm or not at all; on others PDPGD and PDGD find
    shorter ways. With a finite eps an image is through once it is broken inside the ball, and a longer break is cut. An
    image that is already misclassified, or is never broken, is returned as it is. Where no gradient leaves the image,
    it stays.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2, L1)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 1000
    """The paper's; a hundred do for a first look."""
    first_distance: Positive | None = None
    """How far the first step goes, the paper's epsilon; its 0.1 in L2 and 0.5 in L1 where none is given."""
    alpha: Annotated[float, Interval(0, 1, "[)")] | None = None
    """The memory of the moving averages; the paper's 0.9 in L2 and 0.5 in L1 where none is given."""
    final_step: Share = 0.01
    """The step falls to this share of the first one, from the first break on."""
    check_every: Count = 10
    """The paper's M: after so many steps rho is multiplied by `gamma`, unless the constraint has come nearer."""
    tau: Positive = 0.95
    """Nearer is: to this share of what it was."""
    gamma: Annotated[float, Interval(1)] = 1.2
    tolerance: NonNegative = 1e-4
    """How far beyond the boundary it aims, in the objective's unit."""
    objective: Objective = dlr
    """Zero at the boundary and above it where the image is broken; the ratio, so that logits may have any scale.

    To reach a wanted class take `Towards(dlr)`.
    """

    def __post_init__(self) -> None:
        """Refuse an objective that has no boundary."""
        super().__post_init__()
        known = crosses_zero(self.objective)
        require(known, f"ALMA: objective = {self.objective}: take one that is 0 at the boundary, as dlr or margin")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Descend, and keep the shortest break met on the way."""
        best, alpha = Shortest.none(self.threat, images), self.memory()
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        way = Way.begin(place, (images if start is None else start)[place], self.steps + 1)
        for k in range(self.steps):
            if len(way.place) == 0:
                break
            loss, broken, slope = look(model, way.x, targets[way.place], self.objective)
            c, x0 = self.tolerance - loss, images[way.place]
            self.weigh(way, c, k)
            best.keep(way.place, way.x, broken)
            way.found = torch.where(broken, way.found.clamp_max(k), way.found)
            g = -per_image(penalty_slope(c, way.rho, way.mu)) * slope
            if k == 0:
                way.eta = self.first_step(x0, g)
            else:
                g = g + distance_slope(self.threat, way.x - x0)
            # The paper's averages, not Adam's: gradients are divided before they are added, and the square begins at 1.
            way.square = alpha * way.square + (1 - alpha) * g.square()
            way.momentum = alpha * way.momentum + g / (way.square.sqrt() + 1e-8)
            since = (k - way.found).clamp_min(0) / (self.steps - way.found)
            way.x = (way.x - per_image(way.eta * self.final_step**since) * way.momentum).clamp(0, 1)
            way = way.only(best.unsettled(way.place))
        return best.inside()

    def weigh(self, way: "Way", c: PerImage, k: int) -> None:
        """Raise rho where the image has never been broken and comes no nearer; let mu follow the penalty's slope."""
        if k == 0:
            way.c = c
            return
        if (k + 1) % self.check_every == 0:
            stuck = (way.found > self.steps) & (c >= self.tau * way.c)
            way.rho = torch.where(stuck, self.gamma * way.rho, way.rho)
            way.c = c
        alpha = self.memory()
        way.mu = (alpha * way.mu + (1 - alpha) * penalty_slope(c, way.rho, way.mu)).clamp(LEAST, MOST)

    def memory(self) -> float:
        """Return alpha, the paper's for the norm where none is given."""
        usual = 0.9 if isinstance(self.threat, L2) else 0.5
        return usual if self.alpha is None else self.alpha

    def first_step(self, x0: Images, g: Tensor) -> PerImage:
        """Return the step along -g that takes each image as far as the first one should go."""
        usual = 0.1 if isinstance(self.threat, L2) else 0.5
        wanted = usual if self.first_distance is None else self.first_distance

        def too_far(eta: PerImage) -> Flags:
            return self.threat.distance((x0 - per_image(eta) * g).clamp(0, 1), x0) > wanted

        low, high = torch.zeros_like(x0[:, 0, 0, 0]), torch.ones_like(x0[:, 0, 0, 0])
        for _ in range(DOUBLINGS):
            far = too_far(high)
            low, high = torch.where(far, low, high), torch.where(far, high, 2 * high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            far = too_far(middle)
            low, high = torch.where(far, low, middle), torch.where(far, middle, high)
        return (low + high) / 2


@dataclass
class Way:
    """The images that are on their way, a row each."""

    place: Index
    """Where each of them is in the batch."""
    x: Images
    square: Images
    """The moving average of the squared gradient."""
    momentum: Images
    rho: PerImage
    mu: PerImage
    """The multiplier; rho sets how fast it grows."""
    eta: PerImage
    """The step, before it falls."""
    c: PerImage
    """The constraint at the last check: below zero where the image is broken."""
    found: PerImage
    """The step of the first break."""

    @classmethod
    def begin(cls, place: Index, x: Images, never: int) -> "Way":
        """Begin at `x`, with no break found."""
        one = x.new_ones(len(x))
        return cls(place, x, torch.ones_like(x), torch.zeros_like(x), one, one, one, one, torch.full_like(one, never))

    def only(self, rows: Tensor | slice) -> "Way":
        """Return those that go on."""
        return Way(*(getattr(self, field.name)[rows] for field in fields(self)))


def penalty_slope(c: PerImage, rho: PerImage, mu: PerImage) -> PerImage:
    """Return the derivative by c of the penalty P2: mu at the boundary, more beyond it, less once it is passed."""
    above = mu * (1 + 2 * rho * c) + (rho * c).square() / 2
    return torch.where(c >= 0, above, mu / (1 - rho * c.clamp_max(0)).square()).clamp_max(MOST)


def distance_slope(threat: Threat, change: Tensor) -> Tensor:
    """Return the gradient of the distance towards the change, zero where there is none."""
    if isinstance(threat, L1):
        return change.sign()
    return change / per_image(threat.dual(change).clamp_min(1e-12))
