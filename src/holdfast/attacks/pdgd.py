"""PDGD (Matyasko, Chau: "PDPGD: Primal-dual proximal gradient descent adversarial attack", 2021): gradient steps on the
distance and on the break at once, whose weights follow from which side of the boundary the image is on."""

import math
from dataclasses import dataclass
from typing import ClassVar

from holdfast.attacks.balls import Shortest, answer, look
from holdfast.attacks.primal_dual import PrimalDual, Walk
from holdfast.attacks.watched import Watched
from holdfast.streams import Stream
from holdfast.threats import L2, Threat, per_image
from holdfast.types import Images, Targets


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

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Descend, and keep the shortest break met on the way."""
        best, first = Shortest.none(self.threat, images), images if start is None else start
        place = (~answer(model, images, targets, self.objective)[1]).nonzero()[:, 0]
        walk = Walk.begin(place, images[place], first[place], self.first_ratio)
        for i in range(self.steps):
            if len(walk.place) == 0:
                break
            x = walk.x0 + walk.r
            loss, broken, slope = look(model, x, targets[walk.place], self.objective)
            best.keep(walk.place, x, broken)
            m = -loss
            # The gradient of lambda_0 |r| + lambda_1 softplus(m); that of |r| is zero at zero.
            g = per_image(walk.lambda_0) * self.threat.ascent(walk.r) - per_image(walk.lambda_1 * m.sigmoid()) * slope
            walk.descend(g, self.eta(i), i)
            walk.weigh(m, self.dual_eta(i))
            walk = walk.only(best.unsettled(walk.place))
        return best.inside()
