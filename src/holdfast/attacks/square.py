"""Square (Andriushchenko et al.: "Square attack: a query-efficient black-box adversarial attack via random search",
2020): random squares, kept where they help; asks for outputs only. L-inf after algorithms 1 and 2, L2 after
algorithm 3, L1 after the form that AutoAttack gives algorithm 3 (Croce, Hein: "Mind the box", 2021).

In the authors' code one square serves the whole batch at each query, and none lies at the last row or column; here
every image draws its own, from all places. An image that is broken asks no further.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.attacks.attack import Attack, full_step
from holdfast.attacks.draws import Draws, Query
from holdfast.attacks.square_windows import exchange, signs, tiles, window
from holdfast.attacks.watched import Watched
from holdfast.fields import Count, Share
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat, per_image
from holdfast.threats.threat import landed
from holdfast.types import Images, Targets

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""The queries at which the share of pixels in a square halves (the paper's schedule for 10,000 queries)."""
TOGETHER = 32
"""The random numbers of so many queries are drawn at once."""


@dataclass(frozen=True)
class Square(Attack):
    """Random search over squares of pixels that spend the whole ball; a black-box attack.

    For L-inf, and for networks that hide their gradients in L2; in L1 PDPGD finds more where there is a gradient.
    """

    gradient_free: ClassVar[bool] = True

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, NormalisedLinf)
    labelled: ClassVar[bool] = True

    threat: Threat = Linf()
    queries: Count = 5000
    share: Share = 0.8
    """The share of the pixels in the first squares."""
    seed: int = 0

    @torch.no_grad()
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Begin with stripes or tiles, then try one square a query and keep it where the margin grows."""
        result = images.clone()
        place = (margin(model(images), targets) < 0).nonzero()[:, 0]
        x, x0, y = (self.first(images, stream) if start is None else start)[place], images[place], targets[place]
        best = margin(model(x), y) if len(place) else images.new_zeros(0)
        draws = Draws(stream[place], 1, 0)
        for query in range(1, self.queries):
            rows = (best < 0).nonzero()[:, 0]
            if len(rows) < len(place):
                result[place] = x
                place, x, x0, y, best = (each[rows] for each in (place, x, x0, y, best))
                draws = draws.only(rows)
            if len(place) == 0:
                break
            if query == draws.first + draws.count:
                draws = Draws(draws.stream, query, TOGETHER)
            tried = self.tried(x, x0, query, draws.of(query))
            gained = margin(model(tried), y)
            better = gained > best
            x = torch.where(per_image(better), tried, x)
            best = torch.where(better, gained, best)
        result[place] = x
        return result

    def first(self, images: Images, stream: Stream) -> Images:
        """Return vertical stripes at the corners of the L-inf ball; in L2 and L1 tiles of bumps."""
        eps, (_, c, _, w) = full_step(self.threat), images.shape
        if isinstance(self.threat, Linf | NormalisedLinf):
            stripes = self.threat.ascent(signs(stream.split("stripes"), (c, 1, w)))
            return self.threat.project(images + eps * stripes, images)
        return self.spend(images, tiles(images, self.order, stream.split("tiles")))

    def tried(self, x: Images, images: Images, query: int, stream: Query) -> Images:
        """Return the images with a square of one colour moved to the other corner; in L2 and L1 with a bump more."""
        eps, (_, c, h, w) = full_step(self.threat), images.shape
        side = self.side(query, h, w)
        if isinstance(self.threat, Linf | NormalisedLinf):
            colour = self.threat.ascent(signs(stream.split("colour"), (c, 1, 1)))
            change = 2 * eps * colour * window(stream, side, h, w)
            return self.threat.project(x + change, images)
        return self.spend(images, exchange(x - images, eps, self.order, side, stream))

    def spend(self, images: Images, delta: torch.Tensor) -> Images:
        """Return the images changed by eps in the direction of delta and cut to the box; in L1, the nearest point."""
        if not isinstance(self.threat, L2):
            return self.threat.project(images + delta, images)
        return landed(self.threat, images, self.threat.eps * self.threat.ascent(delta))

    @property
    def order(self) -> int:
        """Return the order of the norm, where it is L2 or L1."""
        return 2 if isinstance(self.threat, L2) else 1

    def side(self, query: int, h: int, w: int) -> int:
        """Return the side of the square that is tried at this query; in L2 and L1 an odd one, from 3."""
        share = self.share / 2 ** sum(query > halving for halving in HALVINGS)
        side = max(round(math.sqrt(share * h * w)), 1)
        if isinstance(self.threat, L2 | L1):
            side = max(side, 3)
            side += 1 - side % 2
        return min(side, h, w)
