"""Square (Andriushchenko et al.: "Square attack: a query-efficient black-box adversarial attack via random search",
2020, algorithms 1 and 2): random squares of one colour, kept where they help; asks for outputs only.

In the authors' code one square serves the whole batch at each query, and none lies at the last row or column; here
every image draws its own, from all places. An image that is broken asks no further.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.attack import Attack, Watched
from holdfast.errors import require
from holdfast.objectives import margin
from holdfast.streams import Stream
from holdfast.threats import Linf, Threat, per_image
from holdfast.types import Images, Targets

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""The queries at which the share of pixels in a square halves (the paper's schedule for 10,000 queries)."""


@dataclass(frozen=True)
class Square(Attack):
    """Random search over squares of pixels at the corners of the L-inf ball; a black-box attack."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf,)

    threat: Threat = Linf()
    queries: int = 5000
    share: float = 0.8
    """The share of the pixels in the first squares."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        super().__post_init__()
        require(0 < self.share <= 1, f"Square: share = {self.share}, not in (0, 1]")

    @torch.no_grad()
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Begin with vertical stripes, then try one square a query and keep it where the margin grows."""
        eps, (_, c, h, w) = self.threat.eps, images.shape
        x = images.clone()
        active = (margin(model(images), targets) <= 0).nonzero()[:, 0]
        stripes = images + eps * signs(stream.split("stripes"), (c, 1, w)) if start is None else start
        x[active] = self.threat.project(stripes, images)[active]
        best = margin(model(x[active]), targets[active]) if len(active) else images.new_zeros(0)
        for query in range(1, self.queries):
            active, best = active[best <= 0], best[best <= 0]
            if len(active) == 0:
                break
            own, side = stream[active].split(query), self.side(query, h, w)
            change = 2 * eps * signs(own.split("colour"), (c, 1, 1)) * window(own, side, h, w)
            tried = self.threat.project(x[active] + change, images[active])
            gained = margin(model(tried), targets[active])
            better = gained > best
            x[active] = torch.where(per_image(better), tried, x[active])
            best = torch.where(better, gained, best)
        return x

    def side(self, query: int, h: int, w: int) -> int:
        """Return the side of the square that is tried at this query."""
        share = self.share / 2 ** sum(query > halving for halving in HALVINGS)
        side = round(math.sqrt(share * h * w))
        return min(max(side, 1), h, w)


def signs(stream: Stream, shape: tuple[int, ...]) -> Tensor:
    """Return +1 or -1 at random."""
    return torch.where(stream.uniform(shape) < 0.5, -1.0, 1.0)


def window(stream: Stream, side: int, h: int, w: int) -> Tensor:
    """Return 1 inside a square at a random place of each image and 0 outside, shape (n, 1, h, w)."""
    place = stream.split("place").uniform((2,))
    top, left = (place[:, 0] * (h - side + 1)).long(), (place[:, 1] * (w - side + 1)).long()
    rows, columns = (torch.arange(count, device=place.device) for count in (h, w))
    inside_rows = (rows >= top[:, None]) & (rows < top[:, None] + side)
    inside_columns = (columns >= left[:, None]) & (columns < left[:, None] + side)
    return (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None].float()
