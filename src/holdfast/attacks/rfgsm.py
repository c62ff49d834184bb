"""R+FGSM: a random step, then FGSM with what is left (Tramer et al.: "Ensemble adversarial training", 2018)."""

from dataclasses import dataclass

from holdfast.attacks.attack import Attack, full_step, input_gradient
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class RFGSM(Attack):
    """A random corner of the ball of radius alpha, then one gradient step of size eps - alpha."""

    threat: Threat = Linf()
    alpha: float | None = None
    """Size of the random step; half of eps where none is given.

    In L0 that is a share of eps, and the values that both steps change move by that share of the box and by the rest.
    """
    objective: Objective = cross_entropy
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a random step larger than the ball."""
        super().__post_init__()
        alpha = self.alpha if self.alpha is not None else 0.0
        require(0 <= alpha <= self.threat.eps, f"RFGSM: alpha = {alpha}, not between 0 and eps = {self.threat.eps}")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Step at random, then along the gradient."""
        eps = self.threat.eps
        # In L0 eps counts values, and a full step is 1: there both steps are shares of it.
        unit = eps / full_step(self.threat) if eps > 0 else 1.0
        alpha = eps / 2 if self.alpha is None else self.alpha
        x = images if start is None else start
        x = self.threat.project(x + alpha / unit * self.threat.ascent(stream.normal(images.shape[1:])), images)
        gradient = input_gradient(model, x, targets, self.objective)
        return self.threat.project(x + (eps - alpha) / unit * self.threat.ascent(gradient, x), images)
