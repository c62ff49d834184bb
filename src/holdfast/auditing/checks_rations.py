"""How many images each check is shown: more where the audit spent more, and never fewer than it needs to be sound.

All checks together may cost a quarter of the passes of an audit. Between the fewest and the most images of each there
are eight equal steps; all checks are at the same step, the highest at which they stay within the quarter though no
image breaks early. Where the first step is beyond it, soundness wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SHARE = 1 / 4
"""The share of an audit's passes that its checks may cost."""
STEPS = 8
"""Few, so that a pass more or less, where kernels round otherwise, hardly ever shows a check another image."""


@dataclass(frozen=True)
class Ration:
    """How many images a check is shown, and what one costs."""

    least: int
    """What its criterion needs; an audit of fewer images shows all."""
    most: int
    passes: float
    """What an image costs at most, forwards and backwards together, on a network that nothing breaks."""
    why: str
    """Why fewer images would not do, in words."""

    def images(self, step: int) -> int:
        """Return how many images are shown at a step, from 0 to `STEPS`."""
        return self.least + (self.most - self.least) * step // STEPS

    def cost(self, step: int) -> float:
        """Return what that costs at most."""
        return self.passes * self.images(step)


def step_for(spent: float, rations: Iterable[Ration]) -> int:
    """Return the highest step at which checks of these rations stay within their share, once attacks spent so much.

    A ration that is there twice is a check that may be made twice.
    """
    rations, allowed = tuple(rations), spent * SHARE / (1 - SHARE)
    fitting = (step for step in range(STEPS, 0, -1) if sum(ration.cost(step) for ration in rations) <= allowed)
    return next(fitting, 0)
