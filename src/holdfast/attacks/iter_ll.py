"""Many steps towards the least likely class (Kurakin, Goodfellow, Bengio, 2017; paper 002, section 2)."""

from dataclasses import dataclass
from functools import partial

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.pgd import PGD
from holdfast.attacks.step_ll import least_likely, towards_least_likely
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.storage.describe import later
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class IterLL(Attack):
    """Projected gradient descent to the class that the network finds least likely; the labels are not used."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""
    renewed: bool = later(False)
    """Choose the class anew at every step; without it, once and for all on the clean image, as the formula says."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Choose the class, once or at every step, and run PGD towards it from the image."""
        climb = partial(PGD, self.threat, self.steps, self.step_size, random_start=False)
        if self.renewed:
            return climb(objective=towards_least_likely).run(model, images, targets, start, stream)
        with torch.no_grad():
            wanted = least_likely(model(images))
        return climb(objective=Towards(cross_entropy)).run(model, images, wanted, start, stream)
