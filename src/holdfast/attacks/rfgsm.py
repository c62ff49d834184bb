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
    """Size of the random step; half of eps where none is given."""
    objective: Objective = cross_entropy
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a random step larger than the ball."""
        super().__post_init__()
        alpha = self.alpha if self.alpha is not None else 0.0
        require(0 <= alpha <= self.threat.eps, f"RFGSM: alpha = {alpha}, not between 0 and eps = {self.threat.eps}")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Step at random, then along the gradient."""
        full_step(self.threat)  # refuses a ball without an end
        eps = self.threat.eps
        alpha = eps / 2 if self.alpha is None else self.alpha
        x = images if start is None else start
        x = self.threat.project(x + alpha * self.threat.ascent(stream.normal(images.shape[1:])), images)
        gradient = input_gradient(model, x, targets, self.objective)
        return self.threat.project(x + (eps - alpha) * self.threat.ascent(gradient, x), images)
