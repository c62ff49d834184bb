"""The fixed short attack that every view of a defended network is attacked with, so that their numbers compare."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks import PGD, Attack
from holdfast.attacks.watched import Watched
from holdfast.fields import Count
from holdfast.objectives import cross_entropy, margin
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat, per_image
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class TwoClimbs(Attack):
    """PGD on the cross-entropy and PGD on the margin from one random start; the end of the higher margin is kept.

    Neither stops at a break: what breaks the view may not yet break the network that is judged, as where the view knows
    nothing of the defence, or where one draw was lucky.
    """

    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    steps: Count = 20
    """Gradients of each climb."""
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb twice."""
        climbs = (PGD(self.threat, self.steps, objective=objective) for objective in (cross_entropy, margin))
        one, other = (climb.run(model, images, targets, start, stream) for climb in climbs)
        with torch.no_grad():
            better = margin(model(other), targets) > margin(model(one), targets)
        return torch.where(per_image(better), other, one)
