"""SuperDeepFool (Abdolahpourrostam, Abroshan, Moosavi-Dezfooli: "Revisiting DeepFool: generalization and improvement",
2023, algorithm 2): DeepFool, then the foot of the perpendicular on the boundary that it found, until that is beyond.

The first foot that is broken is the result, as in the paper. Of an image whose feet all stand DeepFool's shortest break
is, where the paper has none; and so it is where it alone is inside a finite eps.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack
from holdfast.attacks.balls import Shortest, answer, begin
from holdfast.attacks.deepfool import DeepFool, likeliest, walk
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Interval, NonNegative
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Flags, Images, Labels, Rows, Targets


@dataclass(frozen=True)
class SuperDeepFool(Attack):
    """DeepFool, and from its end the perpendicular to the boundary, until one is broken; a minimum-norm attack.

    For a quick first look in L2: shorter ways than DeepFool's at a few times its passes; DDN and ALMA find shorter ones
    at more. With a finite eps, images that need more are cut to the ball. The label left is the true one: an image that
    is already misclassified is returned as it is.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2,)
    labelled: ClassVar[bool] = True

    threat: Threat = L2(math.inf)
    steps: Count = 100
    """The most rounds."""
    deepfool_steps: Count = 100
    """The most steps of DeepFool in a round."""
    overshoot: NonNegative = 0.02
    """Of DeepFool."""
    candidates: Annotated[int, Interval(2)] = 10
    """How many of the most likely classes DeepFool considers, the true one included."""
    halvings: Annotated[int, Interval(0)] = 10
    """How often the way from the image to the break is halved in the end, to come nearer to the boundary."""

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Go to the foot of the perpendicular, again and again, then halve the way to the shortest break."""
        fool = DeepFool(self.threat, self.deepfool_steps, self.overshoot, self.candidates)
        best, ends = Shortest.none(self.threat, images), Shortest.none(self.threat, images)
        x, everywhere = begin(model, images, targets, start, margin), torch.arange(len(images), device=images.device)
        active = (~best.keep(everywhere, x, broken(model, x, targets))).nonzero()[:, 0]
        for _ in range(self.steps):
            if len(active) == 0:
                break
            before, y = x[active], targets[active]
            end, towards = walk(fool, model, before, y, before)
            w, crossed = normal(model, end, y, towards)
            ends.keep(active, end, crossed)
            along = ((end - images[active]) * w).flatten(1).sum(1)
            x[active] = (before + per_image(along) * w).clamp(0, 1)
            through = best.keep(active, x[active], broken(model, x[active], y))
            # An image that has not moved would repeat the round.
            active = active[~through & (x[active] != before).flatten(1).any(1)]
            active = active[ends.unsettled(active)]
        missing = (best.length == torch.inf) & (ends.length < torch.inf)
        # A foot beyond a finite eps is cut to the ball, where it may stand; DeepFool's end inside does not.
        inside = (ends.length <= self.threat.eps) & (best.length > self.threat.eps)
        best.keep(everywhere, ends.x, missing | inside)
        place = ((best.length > 0) & (best.length < torch.inf)).nonzero()[:, 0]
        self.halve(model, targets, best, place[best.unsettled(place)])
        return best.inside()

    def halve(self, model: Watched, targets: Targets, best: Shortest, place: Rows) -> None:
        """Halve the ways from the images at `place` to their breaks, and keep the broken ends."""
        x0, x = best.images[place], best.x[place]
        low, high = torch.zeros_like(best.length[place]), torch.ones_like(best.length[place])
        for _ in range(self.halvings if len(place) else 0):
            middle = (low + high) / 2
            crossed = broken(model, torch.lerp(x0, x, per_image(middle)), targets[place])
            low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
        best.keep(place, torch.lerp(x0, x, per_image(high)), high < 1)


def broken(model: Watched, x: Images, labels: Labels) -> Flags:
    """Return which images are misclassified."""
    return answer(model, x, labels, margin)[1]


def normal(model: Watched, x: Images, labels: Labels, towards: Labels) -> tuple[Tensor, Flags]:
    """Return the unit normals of the boundary at `x` to its class, to `towards` where it is right; and which is not."""
    x = x.detach().requires_grad_()
    logits = model(x)
    classes, crossed = likeliest(logits, labels, 2)
    k = torch.where(crossed, classes[:, 0], towards)
    wanted, true = logits.gather(1, torch.stack([k, labels], 1)).unbind(1)
    return L2().ascent(model.gradient(wanted - true, x)), crossed
