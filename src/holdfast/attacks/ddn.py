"""DDN (Rony et al.: "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and defenses",
2019, algorithm 1): the gradient turns the change, and whether the image is broken sets its length."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, furthest, look
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.objectives import cross_entropy
from holdfast.streams import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Images, Objective, Targets


@dataclass(frozen=True)
class DDN(Attack):
    """Gradient steps on a sphere that shrinks while the image is broken and grows while it is not; minimum-norm.

    With a finite eps an image is through once it is broken inside the ball, and a longer break is cut. An image that is
    already misclassified, or is never broken, is returned as it is. Where the gradient is zero the change keeps its
    direction (the authors' code turns it at random): a saturated network wants `objective=margin`.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2,)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: int = 100
    step_size: float = 1.0
    """The length of the first step; a cosine takes it to a hundredth."""
    gamma: float = 0.05
    """The share by which the radius shrinks or grows at each step."""
    initial_norm: float = 1.0
    """The first radius; where a start is given, its own distance."""
    levels: int | None = None
    """How many values a pixel can take, 256 for images to be stored in bytes; any where none is given.

    A finite eps may cut a break to values between them.
    """
    objective: Objective = cross_entropy

    def __post_init__(self) -> None:
        """Refuse a radius that cannot change, or pixels that cannot."""
        super().__post_init__()
        require(0 < self.gamma < 1, f"DDN: gamma = {self.gamma}, not in (0, 1)")
        require(self.initial_norm > 0, f"DDN: initial_norm = {self.initial_norm}, not above 0")
        require(self.levels is None or self.levels >= 2, f"DDN: levels = {self.levels}, not 2 or more")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Walk, and keep the shortest break met on the way."""
        best, limit = Shortest.none(self.threat, images), furthest(self.threat, images)
        x = images.clone() if start is None else self.quantised(start)
        eps = self.threat.distance(x, images)
        eps = torch.where(eps > 0, eps, self.initial_norm)
        active = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        for k in range(self.steps):
            if len(active) == 0:
                break
            _, broken, g = look(model, x[active], targets[active], self.objective)
            best.keep(active, x[active], broken)
            alpha = self.step_size * (0.01 + 0.99 * (1 + math.cos(math.pi * k / self.steps)) / 2)
            delta = x[active] + alpha * self.threat.ascent(g) - images[active]
            # Not in the paper, but in the authors' code: no radius beyond the last corner of the box.
            shorter, longer = (1 - self.gamma) * eps[active], (1 + self.gamma) * eps[active]
            eps[active] = torch.where(broken, shorter, longer).minimum(limit[active])
            moved = images[active] + per_image(eps[active]) * self.threat.ascent(delta)
            x[active] = self.quantised(moved.clamp(0, 1))
            active = active[best.unsettled(active)]
        if len(active):
            best.keep(active, x[active], answer(model, x[active], targets[active], self.objective)[1])
        return best.inside()

    def quantised(self, x: Images) -> Images:
        """Round pixels to the values that they can take."""
        return x if self.levels is None else (x * (self.levels - 1)).round() / (self.levels - 1)
