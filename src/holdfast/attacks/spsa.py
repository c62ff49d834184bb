"""SPSA (Uesato, O'Donoghue, van den Oord, Kohli: "Adversarial risk and the dangers of evaluating against weak attacks",
2018, algorithm 1): gradients estimated from differences of outputs, followed by Adam; asks for outputs only.

The differences are taken around the point where the attack is. (CleverHans' PyTorch version takes them around twice the
clean image, issue 1249, and so never follows its own steps.)
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.adam import Moments
from holdfast.attacks.attack import Attack, succeeded
from holdfast.attacks.square_windows import signs
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative, Positive
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Images, Objective, PerImage, Targets

TOGETHER = 32
"""How many pairs of an image are drawn at once: a constant, so that what is drawn depends on nothing else."""


@dataclass(frozen=True)
class SPSA(Attack):
    """Adam on gradients that are estimated from pairs of queries in random directions; a black-box attack.

    Not defined for L0: Adam moves every value alike, which leaves nothing to choose the few by.
    """

    gradient_free: ClassVar[bool] = True

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)

    threat: Threat = Linf()
    steps: Count = 100
    samples: Count = 128
    """Pairs of queries a step and image; the paper's strong setting has thousands."""
    delta: Positive = 0.01
    """How far to each side a pair looks, in units of pixels; it may look beyond the ball and the box."""
    step_size: NonNegative = 0.01
    """Adam's learning rate, in units of pixels."""
    rows: Count = 1024
    """How many images the network is shown at once, at most."""
    objective: Objective = margin
    seed: int = 0

    def showing(self, most: int) -> "SPSA":
        """Return the attack with fewer rows, where that is fewer: what it finds is the same."""
        return replace(self, rows=min(self.rows, most))

    @torch.no_grad()
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Follow the estimated gradient from the image; an image that is broken takes no further step."""
        x = (images if start is None else start).clone()
        active, moments = torch.arange(len(x), device=x.device), Moments.begin(x)
        for step in range(self.steps):
            standing = ~succeeded(self.objective, model(x[active]), targets[active])
            active, moments = active[standing], moments[standing]
            if len(active) == 0:
                break
            g = self.gradient(model, x[active], targets[active], stream[active].split(step))
            moments = moments.after(g)
            moved = x[active] + self.step_size * moments.mean / moments.size
            x[active] = self.threat.project(moved, images[active])
        return x

    def gradient(self, model: Watched, x: Images, targets: Targets, stream: Stream) -> Tensor:
        """Return the estimate, for as many images at a time as may be shown together."""
        portions = torch.split(torch.arange(len(x), device=x.device), max(1, self.rows // (2 * TOGETHER)))
        return torch.cat([self.estimate(model, x[part], targets[part], stream[part]) for part in portions])

    def estimate(self, model: Watched, x: Images, targets: Targets, stream: Stream) -> Tensor:
        """Return the mean of (J(x + delta v) - J(x - delta v)) / (2 delta) v over signs v drawn at random."""
        total = torch.zeros_like(x)
        for first in range(0, self.samples, TOGETHER):
            count = min(TOGETHER, self.samples - first)
            v = signs(stream.split(first), (count, *x.shape[1:]))
            points = torch.cat([x[:, None] + self.delta * v, x[:, None] - self.delta * v], 1).flatten(0, 1)
            values = self.ask(model, points, targets.repeat_interleave(2 * count, 0)).view(len(x), 2, count)
            rise = (values[:, 0] - values[:, 1]) / (2 * self.delta)
            total += (rise[:, :, None, None, None] * v).sum(1)
        return total / self.samples

    def ask(self, model: Watched, points: Images, targets: Targets) -> PerImage:
        """Return the objective at each point."""
        shown = zip(torch.split(points, self.rows), torch.split(targets, self.rows), strict=True)
        return torch.cat([self.objective(model(part).float(), wanted) for part, wanted in shown])
