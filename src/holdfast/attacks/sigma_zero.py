"""sigma-zero (Cinà, Villani, Pintor, Schönherr, Biggio, Pelillo: "sigma-zero: gradient-based optimization of l0-norm
adversarial examples", 2024, algorithm 1): descent on the margin and a smooth count of the changed values, whose small
changes are undone at every step.

The threshold below which a change is small moves by what each image shows: up where it is broken, down where it is not.
In the authors' repository it never moves, for it is written into a copy.
"""

import math
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.adam import Moments
from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, Interval, NonNegative
from holdfast.objectives import crosses_zero, margin
from holdfast.rng import Stream
from holdfast.threats import L0, Threat, per_image
from holdfast.types import Flags, Images, Index, Objective, PerImage, Targets


@dataclass(frozen=True)
class SigmaZero(Attack):
    """Descent on a smooth count of the changed values, the small ones undone at every step; a minimum-norm attack.

    For L0, where it needs fewer values (pixel times channel) than FMN and JSMA. With a finite eps an image is through
    once it is broken by so many values, and a break by more is cut. An image that is already misclassified, or is never
    broken, is returned as it is. The paper's attack has no target; to reach a wanted class take `Towards(margin)`.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L0,)
    labelled: ClassVar[bool] = True

    threat: Threat = L0(math.inf)
    steps: Count = 1000
    """The paper's; a hundred do for a first look."""
    step_size: NonNegative = 1.0
    """The first step of Adam; a cosine takes it to a tenth."""
    sigma: Annotated[float, Interval(1e-30)] = 1e-3
    """How sharp the count is: a change r counts as r^2 / (r^2 + sigma)."""
    tau: Annotated[float, Interval(0, 1)] = 0.3
    """The first threshold: smaller changes are undone."""
    tau_factor: NonNegative = 0.01
    """By how much of the step size the threshold moves at each step."""
    objective: Objective = margin
    """Zero at the boundary and above it where the image is broken; there it has no weight."""

    def __post_init__(self) -> None:
        """Refuse an objective that has no boundary."""
        super().__post_init__()
        known = crosses_zero(self.objective)
        require(known, f"SigmaZero: objective = {self.objective}: take one that is 0 at the boundary, as margin or dlr")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Descend, and keep the break by the fewest values met on the way."""
        best = Shortest.none(self.threat, images)
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        first = torch.zeros_like(images) if start is None else start - images
        way, eta = Way.begin(place, first[place], self.tau), self.step_size
        for k in range(self.steps):
            if len(way.place) == 0:
                break
            x0 = images[way.place]
            x = (x0 + way.delta).clamp(0, 1)
            _, broken, slope = look(model, x, targets[way.place], self.objective)
            best.keep(way.place, x, broken)
            g = smooth_count_slope(way.delta, self.sigma) - per_image(~broken) * slope
            way.moments = way.moments.after(self.threat.ascent(g))
            way.delta = (x0 + way.delta - eta * (way.moments.mean / way.moments.size)).clamp(0, 1) - x0
            eta = self.step_size * (0.1 + 0.9 * (1 + math.cos(math.pi * k / self.steps)) / 2)
            way.threshold(broken, self.tau_factor * eta)
            way = way.only(best.unsettled(way.place))
        return best.inside()


@dataclass
class Way:
    """The images that are on their way, a row each."""

    place: Index
    """Where each of them is in the batch."""
    delta: Tensor
    """The change."""
    moments: Moments
    tau: PerImage
    """The threshold."""

    @classmethod
    def begin(cls, place: Index, delta: Tensor, tau: float) -> "Way":
        """Begin at `delta`."""
        return cls(place, delta, Moments.begin(delta), delta.new_full((len(delta),), tau))

    def threshold(self, broken: Flags, by: float) -> None:
        """Raise the threshold where the image was broken and lower it where not; undo the changes below it."""
        self.tau = torch.where(broken, self.tau + by, self.tau - by).clamp(0, 1)
        self.delta = torch.where(self.delta.abs() < per_image(self.tau), torch.zeros_like(self.delta), self.delta)

    def only(self, rows: Tensor | slice) -> "Way":
        """Return those that go on."""
        return Way(*(getattr(self, field.name)[rows] for field in fields(self)))


def smooth_count_slope(r: Tensor, sigma: float) -> Tensor:
    """Return the gradient of (1 / d) sum_i r_i^2 / (r_i^2 + sigma), d the number of values of an image."""
    smooth = r.square() + sigma
    return 2 / math.prod(r.shape[1:]) * (r / smooth) * (sigma / smooth)
