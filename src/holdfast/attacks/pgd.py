"""Projected gradient ascent (Madry et al.: "Towards deep learning models resistant to adversarial attacks", 2018)."""

from dataclasses import dataclass

from holdfast.attacks.attack import Attack, default_step, input_gradient
from holdfast.attacks.balls import answer
from holdfast.attacks.reached import Reached, restarted
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.fields import Count, NonNegative
from holdfast.objectives import cross_entropy
from holdfast.rng import Stream
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Index, Objective, Targets


@dataclass(frozen=True)
class PGD(Attack):
    """Gradient steps from a random start, each projected back into the ball; the last iterate counts."""

    threat: Threat = Linf()
    steps: Count = 10
    step_size: NonNegative | None = None
    """2.5 eps / steps where none is given."""
    random_start: bool = True
    restarts: Count = 1
    """Runs from different starts, the first from `start` if one is given; a broken image takes no more of them.

    For each image the one that fooled the network is kept, else the one of highest objective.
    """
    objective: Objective = cross_entropy
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse restarts that would repeat one climb."""
        super().__post_init__()
        check_restarts("PGD", self.restarts, self.random_start)

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb once, or several times with what still holds."""
        if self.restarts == 1:
            return self.climb(model, images, targets, start, stream)

        def again(restart: int, rows: Index) -> Reached:
            own = stream[rows].split(restart) if restart else stream[rows]
            first = None if start is None or restart else start[rows]
            x = self.climb(model, images[rows], targets[rows], first, own)
            value, broken = answer(model, x, targets[rows], self.objective)
            return Reached(broken, x, value)

        return restarted(self.restarts, images, again).best

    def climb(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Take `steps` steps from the start."""
        step_size = default_step(self.step_size, self.threat, self.steps)
        x = images if start is None else start
        if start is None and self.random_start:
            x = self.threat.random_start(images, stream)
        for _ in range(self.steps):
            gradient = input_gradient(model, x, targets, self.objective)
            x = self.threat.project(x + step_size * self.threat.ascent(gradient, x), images)
        return x


def check_restarts(name: str, restarts: int, random_start: bool) -> None:
    """Refuse several climbs that would all begin at the image."""
    words = f"{name}: restarts = {restarts} without random_start would repeat one climb from the image"
    require(restarts == 1 or random_start, words)
