"""What PDGD and PDPGD share: two players (Matyasko, Chau: "PDPGD: Primal-dual proximal gradient descent adversarial
attack", 2021). The primal one moves the change r, the dual one sets what being short and being broken weigh.

Both look for min over r, max over lambda of lambda_0 |r| + lambda_1 softplus(m), where m is how far the image stands
from the boundary and lambda_0 + lambda_1 = 1. The constants are those of the authors' code.

A tie (m = 0) is a break here, as everywhere in this library; there it is none.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.adam import Moments
from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, Interval, NonNegative, Share
from holdfast.objectives import crosses_zero, margin
from holdfast.rng import Stream
from holdfast.threats import per_image
from holdfast.types import Images, Index, Objective, PerImage, Targets

MEMORY = 0.9
"""Of the average over the weights."""
FINAL_DUAL = 0.1
"""The dual step falls to this share of the first one, by equal amounts."""
LEAST_RATIO = 1e-6
"""Of the two weights, either way."""


@dataclass(frozen=True)
class PrimalDual(Attack):
    """The settings and the loop that both attacks have; they differ in the primal step."""

    labelled: ClassVar[bool] = True

    steps: Count = 500
    """The paper's. Below about 200 they do not come close, and other attacks find shorter ways."""
    step_size: NonNegative = 0.1
    """Adam's first step, which moves every pixel so far that has a gradient, however small that is."""
    final_step: Share = 0.01
    """Steps fall to this share of the first one, by the same factor each time."""
    first_ratio: Annotated[float, Interval(LEAST_RATIO, 1 / LEAST_RATIO)] = 0.01
    """lambda_0 / lambda_1 at the start: what being short weighs against being broken."""
    dual_step: NonNegative = 0.1
    """The first step of log(lambda_1 / lambda_0); it falls to a tenth."""
    objective: Objective = margin
    """Zero at the boundary and above it where the image is broken.

    The scale of the logits changes how long the ways are, most of all those of PDGD. `dlr` makes both attacks blind to
    that scale, at longer ways. To reach a wanted class take `Towards(margin)`.
    """

    def __post_init__(self) -> None:
        """Refuse an objective that has no boundary."""
        super().__post_init__()
        name = type(self).__name__
        known = crosses_zero(self.objective)
        require(known, f"{name}: objective = {self.objective}: take one that is 0 at the boundary, as margin or dlr")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Cross the boundary again and again, and keep the shortest break met on the way."""
        best, first = Shortest.none(self.threat, images), images if start is None else start
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        walk = Walk.begin(place, images[place], first[place], self.first_ratio)
        for i in range(self.steps):
            if len(walk.place) == 0:
                break
            x = walk.x0 + walk.r
            loss, broken, slope = look(model, x, targets[walk.place], self.objective)
            best.keep(walk.place, x, broken)
            m = -loss
            self.move(walk, -per_image(m.sigmoid()) * slope, i)
            walk.weigh(m, self.dual_eta(i))
            walk = walk.only(best.unsettled(walk.place))
        return best.inside()

    @abstractmethod
    def move(self, walk: "Walk", slope: Tensor, i: int) -> None:
        """Take the primal step number i; `slope` is the gradient of softplus(m)."""

    def eta(self, i: int) -> float:
        """Return the primal step."""
        return self.step_size * math.pow(self.final_step, i / self.steps)

    def dual_eta(self, i: int) -> float:
        """Return the dual step."""
        left = (self.steps - 1 - i) / max(self.steps - 1, 1)
        return self.dual_step * (FINAL_DUAL + (1 - FINAL_DUAL) * left)


@dataclass
class Walk:
    """The images that are on their way, a row each; its methods move them on."""

    place: Index
    """Where each of them is in the batch."""
    x0: Images
    r: Images
    """The change."""
    moments: Moments
    theta: PerImage
    """log(lambda_1 / lambda_0), before the average is taken."""
    lambda_0: PerImage
    """What being short weighs."""
    lambda_1: PerImage
    """What being broken weighs."""

    @classmethod
    def begin(cls, place: Index, x0: Images, x: Images, ratio: float) -> "Walk":
        """Begin at `x`, with the weights in this ratio."""
        theta = torch.full_like(x0[:, 0, 0, 0], -math.log(ratio))
        return cls(place, x0, x - x0, Moments.begin(x0), theta, (-theta).sigmoid(), theta.sigmoid())

    def only(self, rows: Tensor | slice) -> "Walk":
        """Return those that go on."""
        return Walk(*(getattr(self, field.name)[rows] for field in fields(self)))

    def descend(self, g: Tensor, eta: float) -> Tensor:
        """Take a step of Adam, cut to the box; return what it divided by."""
        self.moments = self.moments.after(g)
        size = self.moments.size
        self.r = boxed(self.x0, self.r - eta * self.moments.mean / size)
        return size

    def weigh(self, m: PerImage, eta: float) -> None:
        """Let being broken weigh more where the image stands, less where it is broken."""
        limit = -math.log(LEAST_RATIO)
        self.theta = (self.theta + eta * m.sign()).clamp(-limit, limit)
        self.lambda_0 = self.lambda_0.lerp((-self.theta).sigmoid(), 1 - MEMORY)
        self.lambda_1 = self.lambda_1.lerp(self.theta.sigmoid(), 1 - MEMORY)


def boxed(x0: Images, r: Tensor) -> Tensor:
    """Return the change cut to what leaves pixels in [0, 1]."""
    return (x0 + r).clamp(0, 1) - x0
