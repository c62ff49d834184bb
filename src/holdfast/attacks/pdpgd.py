"""PDPGD (Matyasko, Chau: "PDPGD: Primal-dual proximal gradient descent adversarial attack", 2021): Adam's steps across
the boundary, and after each the proximal operator of the norm, in the metric of Adam (Yun, Lozano, Yang: "A general
family of stochastic proximal gradient methods for deep learning", 2020).

In L0 the operator of the sum of |r|^(2/3) stands in: the one of L0 lets go of small changes at once, and ends with
several times as many values.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from holdfast.attacks import proximal
from holdfast.attacks.primal_dual import PrimalDual, Walk, boxed
from holdfast.threats import L0, L1, L2, Linf, Threat, per_image
from holdfast.types import Images, PerImage

ROUNDS = 5
"""How often the proximal operator is applied after a step, at most."""
CLOSE = 0.01
"""An image has had enough of them once its change moves by less than this share of its length."""
OPERATORS = {Linf: proximal.linf, L2: proximal.l2, L1: proximal.l1}


@dataclass(frozen=True)
class PDPGD(PrimalDual):
    """Steps across the boundary, each shrunk by the norm as much as the image can bear; a minimum-norm attack.

    The one to take in L1; on networks trained in another norm than the threat's also in L2 and L0, where DDN, ALMA and
    SigmaZero may go far astray. It wants its 500 steps. With a finite eps an image is through once it is broken inside
    the ball, mostly long before the last step, and a longer break is cut. An image that is already misclassified, or is
    never broken, is returned as it is. Where no gradient leaves the image, it stays.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, L0)

    threat: Threat = L1(math.inf)
    sparse: Literal["two-thirds", "l0"] = "two-thirds"
    """What shrinks the change in L0: the operator of the 2/3 norm, or that of L0 itself; unused in other norms."""

    def move(self, walk: Walk, slope: Tensor, i: int) -> None:
        """Descend on softplus(m), then shrink the change by the norm, in the metric of Adam."""
        d = walk.descend(slope, self.eta(i))
        largest = d.flatten(1).amax(1)
        mu = walk.lambda_0 / walk.lambda_1 * self.eta(i) / largest
        walk.r = self.shrunk(walk.x0, walk.r, mu, d / per_image(largest))

    def shrunk(self, x0: Images, r: Tensor, mu: PerImage, h: Tensor) -> Tensor:
        """Return the minimum of |q - r|^2 / 2 in the metric h, plus mu times the norm, as near as some rounds come."""
        before, q = r, boxed(x0, self.operator(r, mu))
        for _ in range(ROUNDS - 1):
            moving = proximal.EUCLIDEAN.dual(q - before) > CLOSE * proximal.EUCLIDEAN.dual(q)
            following = boxed(x0, self.operator(q - h * (q - r), mu))
            before, q = q, torch.where(per_image(moving), following, q)
        return q

    def operator(self, v: Tensor, mu: PerImage) -> Tensor:
        """Apply the proximal operator of the norm."""
        if isinstance(self.threat, L0):
            return proximal.l0(v, mu) if self.sparse == "l0" else proximal.two_thirds(v, mu)
        return OPERATORS[type(self.threat)](v, mu)
