"""BIM, also iter_FGSM (Kurakin, Goodfellow, Bengio: "Adversarial examples in the physical world", 2017)."""

import math
from dataclasses import dataclass

from holdfast.attacks.attack import Attack
from holdfast.attacks.pgd import PGD
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Objective, Targets


def iterations(eps: float) -> int:
    """Return floor(min(eps + 4, 1.25 eps)), the paper's number of steps of 1/255 for an eps in 255ths; at least 1."""
    return max(1, math.floor(min(eps + 4, 1.25 * eps)))


@dataclass(frozen=True)
class BIM(Attack):
    """Projected gradient ascent that starts at the image itself (also called iter_FGSM)."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""
    objective: Objective = cross_entropy

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Run PGD without its random start."""
        pgd = PGD(self.threat, self.steps, self.step_size, random_start=False, objective=self.objective)
        return pgd.run(model, images, targets, start, stream)
