"""JSMA (Papernot et al.: "The limitations of deep learning in adversarial settings", 2016, algorithms 2 and 3): the two
values that a saliency map ranks first are pushed to the wall, again and again, as far as the L0 budget goes.

The map is taken of the softmax outputs F, as in CleverHans: alpha = dF_t/dx and beta = sum over j != t of dF_j/dx. The
pair (p, q) wanted is that of highest -(alpha_p + alpha_q) (beta_p + beta_q) with alpha_p + alpha_q > 0 and
beta_p + beta_q < 0. Outputs that add up to one have beta = -alpha, so the score is (alpha_p + alpha_q)^2 and the pair
is that of the two largest alphas: one gradient and no search over pairs. The gradient is that of log F_t, which is
alpha / F_t and ranks alike, but does not vanish where F_t does.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.attack import Attack, succeeded
from holdfast.attacks.watched import Watched
from holdfast.errors import require
from holdfast.objectives import Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.threats import L0, Threat, per_image
from holdfast.types import Flags, Images, Objective, Targets

REACH = Towards(cross_entropy)


@dataclass(frozen=True)
class JSMA(Attack):
    """Pushes the two most salient values at a time towards a class; a sparse attack.

    Given labels, it goes towards the class that is likeliest beside the label where it starts, and an image is through
    with any wrong answer (CleverHans draws a class). With `Towards(cross_entropy)` the targets are the classes wanted.
    The paper's limit gamma is eps over the number of values; of an odd eps one value stays unused.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L0,)
    labelled: ClassVar[bool] = True

    threat: Threat = L0()
    theta: float = 1.0
    """What is added to both values, cut to [0, 1]; below 0 the pairs are those whose fall helps."""
    objective: Objective = cross_entropy
    """`cross_entropy` or `Towards(cross_entropy)`."""

    def __post_init__(self) -> None:
        """Refuse a change that is none, and objectives that say neither what to leave nor what to reach."""
        super().__post_init__()
        require(self.theta != 0, "JSMA: theta = 0 changes nothing")
        known = self.objective in (cross_entropy, REACH)
        require(known, f"JSMA: objective = {self.objective}, not cross_entropy or Towards(cross_entropy)")

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Push pairs until an image is through, its budget is spent, or no pair helps; it then leaves the batch."""
        x = (images if start is None else start).clone()
        with torch.no_grad():
            outputs = model(x)
        beside = outputs.scatter(1, targets[:, None], -torch.inf).argmax(1)
        wanted = targets if isinstance(self.objective, Towards) else beside
        active = (~succeeded(self.objective, outputs, targets)).nonzero()[:, 0]
        for _ in range(int(min(self.threat.eps, images[0].numel())) // 2):
            if len(active) == 0:
                break
            here = x[active].requires_grad_()
            outputs = model(here)
            alpha = model.gradient(REACH(outputs, wanted[active]), here)
            pushed, helps = self.push(here.detach(), images[active], alpha)
            helps &= ~succeeded(self.objective, outputs, targets[active])
            helps &= self.threat.distance(pushed, images[active]) <= self.threat.eps
            active = active[helps]
            x[active] = pushed[helps]
        return x

    def push(self, x: Images, images: Images, alpha: torch.Tensor) -> tuple[Images, Flags]:
        """Return the images with the best pair pushed, and for which there is a pair that helps.

        The pairs are among the values that are as they were and not at the wall already.
        """
        free = (x == images) & ((x < 1) if self.theta > 0 else (x > 0))
        rise = alpha if self.theta > 0 else -alpha
        best = rise.masked_fill(~free, -torch.inf).flatten(1).topk(2, dim=1)
        flat = x.flatten(1)
        pair = (flat.gather(1, best.indices) + self.theta).clamp(0, 1)
        helps = best.values.sum(1) > 0
        return torch.where(per_image(helps), flat.scatter(1, best.indices, pair).view_as(x), x), helps
