"""ODI (Tashiro, Song, Ermon: "Diversity can be transferred: output diversification for white- and black-box attacks",
2020): starts that push the outputs in a random direction, so that restarts differ where it matters.

Where the authors take steps of 2/255 to the end, the climb here shrinks its steps, and a broken image leaves.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from holdfast.attacks.attack import Attack, input_gradient, succeeded
from holdfast.attacks.reached import Reached, restarted
from holdfast.attacks.short_climb import short_climb
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Interval
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Images, Index, Objective, Outputs, PerImage, Targets


@dataclass(frozen=True)
class ODI(Attack):
    """Short climbs on the margin from starts that differ in the network's outputs.

    For a first look of some ten steps in any norm; in L1 and L0 each goes towards the best corner of the ball.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, L0, NormalisedLinf)

    threat: Threat = Linf()
    steps: Count = 20
    """Gradients of each climb, those of its start left out."""
    direction_steps: Annotated[int, Interval(0)] = 2
    """Steps of full size along the outputs' random direction (section 4.1 of the paper); 0 starts at a random point."""
    restarts: Count = 1
    objective: Objective = margin
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Climb from one diverse start after another, only with the images that still hold.

        The first climb begins at `start` where one is given, without direction steps.
        """
        with torch.no_grad():
            outputs = model(images)

        def climb(restart: int, rows: Index) -> Reached:
            chosen, own = images[rows], stream[rows].split(restart)
            x = self.diversified(model, chosen, outputs[rows], own) if start is None or restart else start[rows]
            return short_climb(self.threat, model, chosen, targets[rows], x, self.steps, self.objective)

        return restarted(self.restarts, images, climb, ~succeeded(self.objective, outputs, targets)).best

    def diversified(self, model: Watched, images: Images, outputs: Outputs, stream: Stream) -> Images:
        """Return a random point of the ball, moved along a random direction of the outputs (equation 1)."""
        w = 2 * stream.split("direction").uniform((outputs[0].numel(),)) - 1
        x = self.threat.random_start(images, stream.split("start"))
        for _ in range(self.direction_steps):
            gradient = input_gradient(model, x, w, along)
            x = self.threat.project(x + self.threat.eps * self.threat.ascent(gradient, x), images)
        return x


def along(outputs: Outputs, w: Targets) -> PerImage:
    """Return how far the outputs reach in the direction w."""
    return (outputs.float().flatten(1) * w).sum(1)
