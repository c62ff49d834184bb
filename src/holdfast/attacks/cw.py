"""The margin attack used in adversarial training: PGD on the loss of Carlini and Wagner ("Towards evaluating the
robustness of neural networks", 2017), as Madry's and later codes run it, with a confidence of 50."""

from dataclasses import dataclass
from typing import ClassVar

from holdfast.attacks.attack import Attack
from holdfast.attacks.pgd import PGD, check_restarts
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, NonNegative
from holdfast.objectives import ClippedMargin
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class CW(Attack):
    """PGD on the margin, clipped where the network is wrong by `confidence`."""

    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    steps: Count = 20
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""
    random_start: bool = True
    restarts: Count = 1
    confidence: float = 50.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse restarts that would repeat one climb."""
        super().__post_init__()
        check_restarts("CW", self.restarts, self.random_start)

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Run PGD with the clipped margin as its objective."""
        objective = ClippedMargin(self.confidence)
        pgd = PGD(self.threat, self.steps, self.step_size, self.random_start, self.restarts, objective)
        return pgd.run(model, images, targets, start, stream)
