"""APGD-T (Croce, Hein, 2020): APGD towards each of the most likely wrong classes in turn, on the targeted DLR loss."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.apgd import APGD
from holdfast.attacks.attack import Attack, Watched
from holdfast.objectives import targeted_dlr
from holdfast.streams import Stream
from holdfast.threats import L2, Linf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class APGDT(Attack):
    """APGD aimed at one wrong class after another, the likeliest on the clean image first; one of AutoAttack's four."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2)

    threat: Threat = Linf()
    steps: int = 100
    classes: int = 9
    """How many wrong classes are tried, as far as there are so many."""
    restarts: int = 1
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Aim at the class of each rank, only with the images that still hold."""
        with torch.no_grad():
            logits = model(images)
        ranked = logits.scatter(1, targets[:, None], -torch.inf).argsort(dim=1, descending=True)
        result = images.clone()
        active = (logits.argmax(1) == targets).nonzero()[:, 0]
        for rank in range(min(self.classes, logits.shape[1] - 1)):
            if len(active) == 0:
                break
            pairs = torch.stack([targets[active], ranked[active, rank]], 1)
            apgd = APGD(self.threat, self.steps, self.restarts, targeted_dlr)
            first = None if start is None else start[active]
            result[active] = apgd.run(model, images[active], pairs, first, stream[active].split(rank))
            with torch.no_grad():
                active = active[model(result[active]).argmax(1) == targets[active]]
        return result
