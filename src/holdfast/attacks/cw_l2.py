"""The L2 attack of Carlini and Wagner ("Towards evaluating the robustness of neural networks", 2017, sections V and
VI.A): Adam on the squared length plus c times the margin, with a search for the smallest c of each image that does."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.adam import Moments
from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, NonNegative, Positive
from holdfast.objectives import crosses_zero, margin
from holdfast.rng import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Flags, Images, Objective, PerImage, Targets


@dataclass(frozen=True)
class CWL2(Attack):
    """Adam in tanh space, once for each constant that is tried; a minimum-norm attack, thorough and dear.

    For L2, to compare with papers: it wants thousands of passes where DDN needs two hundred. With a finite eps an image
    is through once it is broken inside the ball, and a longer break is cut. An image that is already misclassified (by
    `confidence`), or is never broken, is returned as it is.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2,)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 500
    """Gradient evaluations for each constant; all are taken, where the authors' code gives up on a standstill."""
    searches: Count = 9
    """How many constants are tried for each image."""
    step_size: NonNegative = 0.01
    """Adam's step, in tanh space."""
    initial_constant: Positive = 1e-3
    """The first c: ten times as much after each failure, once there was a success the middle between the two."""
    confidence: NonNegative = 0.0
    """How far the margin must be beyond the boundary for a break to count, in logits."""
    objective: Objective = margin
    """Climbed until the image is broken, and on to `confidence` where that is not 0."""

    def __post_init__(self) -> None:
        """Refuse a confidence that the objective does not measure."""
        super().__post_init__()
        known = self.confidence == 0 or crosses_zero(self.objective)
        require(known, f"CWL2: confidence = {self.confidence} wants an objective that is 0 at the boundary, as margin")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Descend with one constant after another, each image with its own; keep the shortest break of all."""
        best = Shortest.none(self.threat, images)
        first = images if start is None else start
        c = images.new_full((len(images),), self.initial_constant)
        fails, does = torch.zeros_like(c), torch.full_like(c, torch.inf)
        loss, broken = answer(model, images, targets, self.objective)
        active = self.holds(loss, broken).nonzero()[:, 0]
        for _ in range(self.searches):
            if len(active) == 0:
                break
            found = self.descend(model, targets, first, c, active, best)
            fails, does = torch.where(found, fails, c), torch.where(found, c, does)
            c = torch.where(does < torch.inf, (fails + does) / 2, 10 * c)
            active = active[best.unsettled(active)]
        return best.inside()

    def descend(
        self, model: Watched, targets: Targets, first: Images, c: PerImage, place: Tensor, best: Shortest
    ) -> Flags:
        """Minimise |x - x0|^2 + c f_6(x) for the images at `place`; return which of all images were broken on the way.

        f_6 is what is missing of the margin, max(confidence - margin, 0).
        """
        found = torch.zeros_like(c, dtype=torch.bool)
        w = to_tanh(first[place])
        moments = Moments.begin(w)
        for _ in range(self.steps):
            x = from_tanh(w)
            loss, broken, slope = look(model, x, targets[place], self.objective)
            holds = self.holds(loss, broken)
            found[place] |= best.keep(place, x, ~holds)
            pull = per_image(c[place] * holds) * slope
            g = (2 * (x - best.images[place]) - pull) * 2 * x * (1 - x)  # dx/dw = (1 - tanh(w)^2) / 2 = 2 x (1 - x)
            moments = moments.after(g)
            w = w - self.step_size * moments.mean / moments.size
            rows = best.unsettled(place)
            place, w, moments = place[rows], w[rows], moments[rows]
            if len(place) == 0:
                return found
        x = from_tanh(w)
        loss, broken = answer(model, x, targets[place], self.objective)
        found[place] |= best.keep(place, x, ~self.holds(loss, broken))
        return found

    def holds(self, loss: PerImage, broken: Flags) -> Flags:
        """Say which images are not broken, or not by `confidence`."""
        return ~broken if self.confidence == 0 else ~broken | (loss < self.confidence)


def to_tanh(x: Images) -> Tensor:
    """Return w with x = (tanh(w) + 1) / 2, finite for black and white too."""
    w: Tensor = ((2 * x - 1) * (1 - 1e-6)).atanh()
    return w


def from_tanh(w: Tensor) -> Images:
    """Return the pixels, whatever w is inside [0, 1]."""
    return (w.tanh() + 1) / 2
