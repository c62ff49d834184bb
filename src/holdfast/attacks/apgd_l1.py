"""How APGD climbs in L1 (Croce, Hein: "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers",
2021): steps of equal size on few pixels, no momentum, a sparsity that follows the best point, and wider balls first.

In the authors' code pixels that a projection has put back may keep a rounding error and are then counted as changed;
here they are the image's own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from holdfast.attacks.climbing import Climb, Seen
from holdfast.attacks.reached import Reached
from holdfast.rng import Stream
from holdfast.threats import L1, per_image
from holdfast.types import Images, Objective, PerImage, Targets

WIDEST, WIDER = 3, 2
"""The radii that are climbed in first, in units of eps."""
EARLY = 0.3
"""The share of the steps that each of them takes."""
INTERVAL = 0.04
"""The share of a radius's steps between two of its checkpoints."""
FIRST_SHARE = 0.2
"""The share of the values that the first steps move, where the start says nothing about it."""
SPARSER = 1.5
"""A step moves so many times fewer values than the best point has changed."""
SETTLED = 0.95
"""The sparsity has settled where the best point changed no fewer values than this share of those before."""
SLOWER = 1.5
"""By how much the step shrinks where the sparsity has settled."""
LEAST = 10.0
"""The smallest step, as a divisor of the radius."""

View = Callable[[Images, Targets], Seen]
"""`(x, targets) -> what the network shows there`."""


def wide_start(threat: L1, images: Images, stream: Stream) -> Images:
    """Return normal noise around each image, brought into the widest ball and the box."""
    widest = replace(threat, eps=WIDEST * threat.eps)
    return widest.project(images + stream.normal(images.shape[1:]), images)


def climb_sparsely(
    threat: L1, steps: int, objective: Objective, view: View, images: Images, targets: Targets, x: Images
) -> Reached:
    """Climb in ever smaller balls, from the best point of each.

    What is misclassified in a wider ball is no break; only in the last one do images leave.
    """
    reached = Reached.nothing(images)
    for ball, budget in balls(threat, steps):
        at = Sparse.begin(ball, view, images, targets, x)
        interval = max(int(INTERVAL * budget), 1)
        for step in range(budget + 1):
            if ball is threat:
                at, out = at.without_broken(objective)
                reached.best[out.place], reached.broken[out.place] = out.x, True
            if len(at.place) == 0 or step == budget:
                break
            if step and step % interval == 0:
                at = at.checkpoint(ball)
            at = at.advance(ball, view)
        x = at.x_best
    reached.best[at.place], reached.value[at.place] = at.x_best, at.loss_best
    return reached


def balls(threat: L1, steps: int) -> list[tuple[L1, int]]:
    """Return the balls to climb in, and how many steps each takes: 30 %, 30 % and the rest.

    The authors' rule leaves the last ball without a step where there are 1, 2 or 4; here it has at least one.
    """
    early = min(math.ceil(EARLY * steps), (steps - 1) // 2)
    wide = [(replace(threat, eps=radius * threat.eps), early) for radius in (WIDEST, WIDER)]
    return [*(wide if early else []), (threat, steps - 2 * early)]


@dataclass(frozen=True)
class Sparse(Climb):
    """A climb in L1: besides, the step, the share of values that it moves, and how many the best point had changed."""

    eta: PerImage
    share: PerImage
    changed: PerImage

    @staticmethod
    def begin(ball: L1, view: View, center: Images, targets: Targets, x: Images) -> "Sparse":
        """Return the state at the start, as sparse as that is, with a step as long as the radius."""
        x = ball.project(x, center)
        seen, place, n = view(x, targets), torch.arange(len(x), device=x.device), center[0].numel()
        count = changes(x, center)
        # The start is not sparse, it is the image: as the authors do without a start.
        unmoved = count == 0
        share = torch.where(unmoved, FIRST_SHARE, count / n / SPARSER)
        eta, changed = torch.full_like(share, ball.eps), torch.where(unmoved, float(n), count)
        return Sparse(place, center, targets, x, *seen, x, seen.loss, seen.gradient, eta, share, changed)

    def advance(self, ball: L1, view: View) -> "Sparse":
        """Move the values of steepest slope by one amount, and look at where that leads."""
        size = self.gradient.abs().flatten(1)
        rank = ((1 - self.share) * size.shape[1]).clamp(0, size.shape[1] - 1).long()
        least = size.sort(dim=1).values.gather(1, rank[:, None])
        signs = (self.gradient.sign().flatten(1) * (size >= least)).view_as(self.x)
        length = signs.abs().flatten(1).sum(1) + 1e-10
        x = ball.project(self.x + per_image(self.eta) * signs / per_image(length), self.center)
        return self.moved(x, view(x, self.targets))

    def checkpoint(self, ball: L1) -> "Sparse":
        """Aim at fewer values than the best point has changed; go back to it where that has become sparser."""
        count = changes(self.x_best, self.center)
        sparser = count / self.changed < SETTLED
        eta = torch.where(sparser, ball.eps, self.eta / SLOWER).clamp(ball.eps / LEAST, ball.eps)
        share = count / self.center[0].numel() / SPARSER
        return self.returned(sparser, eta=eta, share=share, changed=count)


def changes(x: Images, center: Images) -> PerImage:
    """Return how many values of each image differ."""
    return (x != center).flatten(1).sum(1).float()
