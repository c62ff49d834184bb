"""MultiTargeted (Gowal et al.: "An alternative surrogate loss for PGD-based adversarial testing", 2019): one climb on
z_wanted - z_true for each wrong class.

With sign steps no positive factor of the objective matters, so the plain difference does all that the targeted DLR can,
without a denominator.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.reached import Reached
from holdfast.attacks.short_climb import short_climb
from holdfast.attacks.watched import Watched
from holdfast.attacks.wrong_classes import wrong_classes
from holdfast.fields import Count
from holdfast.objectives import difference, is_correct
from holdfast.rng import Stream
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class MultiTargeted(Attack):
    """Short climbs towards one wrong class after another, the likeliest first; broken images leave.

    For L-inf, and for L0, where each step goes towards the best corner of the ball.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, L0, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    steps: Count = 20
    """Gradients for each class."""
    classes: Count = 9
    """How many wrong classes are tried, as far as there are so many."""
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb towards the class of each rank from a random point, the first from `start` where one is given.

        The ranks are those of the network's answer at `start`, else on the clean image.
        """
        with torch.no_grad():
            logits = model(images if start is None else start)
        best, held = Reached.nothing(images if start is None else start), is_correct(logits, targets)
        for turn in wrong_classes(logits, targets, self.classes, held):
            active, own = turn.active, stream[turn.active].split(turn.rank)
            warm = start is not None and turn.rank == 0
            x = start[active] if start is not None and warm else self.threat.random_start(images[active], own)
            reached = short_climb(self.threat, model, images[active], turn.pairs, x, self.steps, difference)
            best.take(active, reached)
            held[active] = ~reached.broken
        return best.best
