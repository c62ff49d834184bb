"""The momentum iterative method (Dong et al.: "Boosting adversarial attacks with momentum", 2018)."""

from dataclasses import dataclass

import torch

from holdfast.attacks.attack import Attack, default_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import L1, Linf, Threat, of_unit_size
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class MIM(Attack):
    """Gradient steps along a decaying sum of normalised gradients; no random start."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """eps / steps where none is given, as in the paper; 2.5 eps / steps in L1, which the paper leaves open."""
    decay: NonNegative = 1.0
    """How much of the sum stays; a quarter of it in L1: there old gradients would choose the same few values again."""
    objective: Objective = cross_entropy

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Accumulate gradients of unit L1 norm and follow their direction."""
        sparse = isinstance(self.threat, L1)
        alpha = default_step(self.step_size, self.threat, self.steps, share=2.5 if sparse else 1.0)
        decay = self.decay / 4 if sparse else self.decay
        x = images if start is None else start
        g = torch.zeros_like(images)
        for _ in range(self.steps):
            gradient = input_gradient(model, x, targets, self.objective)
            g = decay * g + of_unit_size(gradient, gradient.abs().flatten(1).sum(1))
            x = self.threat.project(x + alpha * self.threat.ascent(g, x), images)
        return x
