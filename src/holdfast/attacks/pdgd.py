"""PDGD (Matyasko, Chau: "PDPGD: Primal-dual proximal gradient descent adversarial attack", 2021): gradient steps on the
distance and on the break at once, whose weights follow from which side of the boundary the image is on."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from holdfast.attacks.primal_dual import PrimalDual, Walk
from holdfast.threats import L2, Threat, per_image


@dataclass(frozen=True)
class PDGD(PrimalDual):
    """Adam on the Euclidean length and a smooth penalty for standing, to and fro across the boundary; minimum-norm.

    For L2: the one to take, beside PDPGD, on networks trained in another norm; elsewhere DDN and ALMA go as far, with
    fewer steps. With a finite eps an image is through once it is broken inside the ball, and a longer break is cut. An
    image that is already misclassified, or is never broken, is returned as it is. Where no gradient leaves the image,
    it stays.
    """

    threats: ClassVar[tuple[type[Threat], ...]] = (L2,)

    threat: Threat = L2(math.inf)

    def move(self, walk: Walk, slope: Tensor, i: int) -> None:
        """Descend on lambda_0 |r| + lambda_1 softplus(m); the gradient of |r| is zero at zero."""
        walk.descend(
            per_image(walk.lambda_0) * self.threat.ascent(walk.r) + per_image(walk.lambda_1) * slope, self.eta(i)
        )
