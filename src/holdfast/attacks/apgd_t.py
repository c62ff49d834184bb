"""APGD-T (Croce, Hein, 2020): APGD towards each of the most likely wrong classes in turn, on the targeted DLR loss."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.apgd import APGD
from holdfast.attacks.attack import Attack, full_step
from holdfast.attacks.watched import Watched
from holdfast.attacks.wrong_classes import wrong_classes
from holdfast.fields import Count
from holdfast.objectives import is_correct, targeted_dlr
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class APGDT(Attack):
    """APGD aimed at one wrong class after another, the likeliest on the clean image first; one of AutoAttack's four.

    Of all climbs the one to take in L2 and L1; in L-inf MultiTargeted goes as far in fewer steps.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    steps: Count = 100
    classes: Count = 9
    """How many wrong classes are tried, as far as there are so many; AutoAttack tries 5 in L1."""
    restarts: Count = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a ball without an end."""
        super().__post_init__()
        full_step(self.threat)

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Aim at the class of each rank, only with the images that still hold."""
        with torch.no_grad():
            logits = model(images)
        result, held = images.clone(), is_correct(logits, targets)
        apgd = APGD(self.threat, self.steps, self.restarts, targeted_dlr)
        for turn in wrong_classes(logits, targets, self.classes, held):
            active, own = turn.active, stream[turn.active].split(turn.rank)
            first = None if start is None else start[active]
            reached = apgd.climbs(model, images[active], turn.pairs, first, own)
            result[active], held[active] = reached.best, ~reached.broken
        return result
