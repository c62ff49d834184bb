"""The momentum iterative method (Dong et al.: "Boosting adversarial attacks with momentum", 2018)."""

from dataclasses import dataclass

import torch

from holdfast.attacks.attack import Attack, default_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.objectives import cross_entropy
from holdfast.streams import Stream
from holdfast.threats import Linf, Threat, per_image
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class MIM(Attack):
    """Gradient steps along a decaying sum of normalised gradients; no random start."""

    threat: Threat = Linf()
    steps: int = 10
    step_size: float | None = None
    """eps / steps where none is given, as in the paper."""
    decay: float = 1.0
    objective: Objective = cross_entropy

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Accumulate gradients of unit L1 norm and follow their direction."""
        alpha = default_step(self.step_size, self.threat, self.steps, share=1.0)
        x = images if start is None else start
        g = torch.zeros_like(images)
        for _ in range(self.steps):
            gradient = input_gradient(model, x, targets, self.objective)
            norm = gradient.abs().flatten(1).sum(1).clamp_min(1e-30)
            g = self.decay * g + gradient / per_image(norm)
            x = self.threat.project(x + alpha * self.threat.ascent(g), images)
        return x
