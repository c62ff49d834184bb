"""The fast gradient sign method (Goodfellow et al.: "Explaining and harnessing adversarial examples", 2015)."""

from dataclasses import dataclass

from holdfast.attacks.attack import Attack, full_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class FGSM(Attack):
    """One step of full size along the gradient; no random start."""

    threat: Threat = Linf()
    objective: Objective = cross_entropy

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Take the step from the image, or from `start`."""
        x = images if start is None else start
        gradient = input_gradient(model, x, targets, self.objective)
        return self.threat.project(x + full_step(self.threat) * self.threat.ascent(gradient, x), images)
