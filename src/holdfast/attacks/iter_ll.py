"""Many steps towards the least likely class (Kurakin, Goodfellow, Bengio, 2017; section 1.1 of paper 002's method)."""

from dataclasses import dataclass

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.pgd import PGD
from holdfast.attacks.step_ll import least_likely
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class IterLL(Attack):
    """Projected gradient descent to the class least likely on the clean image, chosen once; the labels are not used."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Choose the class, then run PGD towards it from the image."""
        with torch.no_grad():
            wanted = least_likely(model(images))
        pgd = PGD(self.threat, self.steps, self.step_size, random_start=False, objective=Towards(cross_entropy))
        return pgd.run(model, images, wanted, start, stream)
