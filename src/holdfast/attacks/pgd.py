"""Projected gradient ascent (Madry et al.: "Towards deep learning models resistant to adversarial attacks", 2018)."""

from dataclasses import dataclass

import torch

from holdfast.attacks.attack import Attack, default_step, input_gradient, succeeded
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat, per_image
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class PGD(Attack):
    """Gradient steps from a random start, each projected back into the ball; the last iterate counts."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""
    random_start: bool = True
    restarts: Count = 1
    """Runs from different starts, the first from `start` if one is given.

    For each image the one that fooled the network is kept, else the one of highest objective.
    """
    objective: Objective = cross_entropy
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb once, or several times and keep the worst."""
        worst = self.climb(model, images, targets, start, stream)
        if self.restarts == 1:
            return worst
        worst_score = self.score(model, worst, targets)
        for restart in range(1, self.restarts):
            x = self.climb(model, images, targets, None, stream.split(restart))
            score = self.score(model, x, targets)
            worse = score > worst_score
            worst = torch.where(per_image(worse), x, worst)
            worst_score = torch.where(worse, score, worst_score)
        return worst

    def climb(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Take `steps` steps from the start."""
        step_size = default_step(self.step_size, self.threat, self.steps)
        x = images if start is None else start
        if start is None and self.random_start:
            x = self.threat.random_start(images, stream)
        for _ in range(self.steps):
            gradient = input_gradient(model, x, targets, self.objective)
            x = self.threat.project(x + step_size * self.threat.ascent(gradient, x), images)
        return x

    @torch.no_grad()
    def score(self, model: Watched, x: Images, targets: Targets) -> torch.Tensor:
        """Return the objective, with every success above every failure."""
        outputs = model(x)
        return self.objective(outputs, targets) + 1e6 * succeeded(self.objective, outputs, targets)
