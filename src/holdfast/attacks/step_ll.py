"""One step to the least likely class (Kurakin, Goodfellow, Bengio: "Adversarial machine learning at scale", 2017)."""

from dataclasses import dataclass

import torch

from holdfast.attacks.attack import Attack, full_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.objectives import Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Labels, Logits, PerImage, Targets


@torch.no_grad()
def least_likely(logits: Logits) -> Labels:
    """Return the class that the network believes in least."""
    return logits.argmin(1)


def towards_least_likely(logits: Logits, _: Targets) -> PerImage:
    """Return how near the network is to the class that it believes in least, whatever the label."""
    return Towards(cross_entropy)(logits, least_likely(logits))


@dataclass(frozen=True)
class StepLL(Attack):
    """One step of full size towards the class that the network finds least likely; the labels are not used."""

    threat: Threat = Linf()

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Choose the class and step towards it, in one forward pass."""
        x = images if start is None else start
        gradient = input_gradient(model, x, targets, towards_least_likely)
        return self.threat.project(x + full_step(self.threat) * self.threat.ascent(gradient, x), images)
