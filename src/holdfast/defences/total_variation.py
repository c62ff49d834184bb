"""Total variation minimised after pixels were dropped: Guo et al., "Countering adversarial images using input
transformations" (2018), section 3.3.

The authors' code minimises by split Bregman, image by image, and weighs the distance by 2 / 0.03: the objective below.
Here a batch is minimised at once, by the primal-dual algorithm of Chambolle and Pock (2011).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from holdfast.box import boxed
from holdfast.defences.defence import Defence
from holdfast.fields import Count, Positive, Share
from holdfast.types import Images

STEP = 1.0
"""Of the images. The dual step is 1 / (8 STEP): 8 bounds the squared norm of the differences."""
DIFFERENTIATED = 10
"""Steps that an attacker differentiates."""
TINY = 1e-12
"""Far below any difference of pixels; hypot has no gradient at 0."""


@dataclass(frozen=True)
class TotalVariation(Defence):
    """Drops values at random and draws the image anew that is near to the others and varies least.

    It minimises sum over kept values of (z - x)^2 + weight * sum of the lengths of z's differences, channel by channel.

    defend(classifier, TotalVariation())
    """

    differentiable: ClassVar[bool] = False
    random: ClassVar[bool] = True
    weight: Positive = 0.03
    keep: Share = 0.5
    """The chance of each value to be kept."""
    steps: Count = 100

    def __call__(self, images: Images) -> Images:
        """Return the images drawn anew, without a gradient."""
        with torch.no_grad():
            return self._minimised(images, (torch.rand_like(images) < self.keep).to(images.dtype), self.steps)

    def stand_in(self, images: Images) -> Images:
        """Return what the first steps draw of values that are all kept in part; they have a gradient.

        Most of the smoothing is done by then. The backward pass computes them again, as their tensors together are a
        hundred times the images.
        """
        kept, steps = torch.full_like(images, self.keep), min(self.steps, DIFFERENTIATED)
        drawn: Images = checkpoint(self._minimised, images, kept, steps, use_reentrant=False)
        return drawn

    def _minimised(self, images: Images, kept: Images, steps: int) -> Images:
        """Return the images after so many steps, where each value counts by how much of it was kept."""
        known = kept * images
        # Where a value was dropped, the mean of those that were kept comes first.
        mean = known.sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True).clamp_min(1)
        drawn = ahead = known + (1 - kept) * mean
        dual = torch.zeros(2, *images.shape, dtype=images.dtype, device=images.device)
        for _ in range(steps):
            dual = dual + _differences(ahead) / (8 * STEP)
            # norm(dim=0) is many times slower on the CPU.
            length = torch.hypot(dual[0] + TINY, dual[1])
            dual = dual / (length / self.weight).clamp_min(1)
            closer = _closer(drawn - STEP * _back(dual), kept, known)
            drawn, ahead = closer, 2 * closer - drawn
        return boxed(drawn)


def _closer(moved: Tensor, kept: Tensor, known: Tensor) -> Tensor:
    """Return what lies nearest to both: where it was moved, and the kept values."""
    return (moved + 2 * STEP * known) / (1 + 2 * STEP * kept)


def _differences(images: Tensor) -> Tensor:
    """Return what is added from each row to the next, and from each column, 0 at the end: (2, n, c, h, w)."""
    found = torch.zeros(2, *images.shape, dtype=images.dtype, device=images.device)
    found[0, :, :, :-1] = images.diff(dim=2)
    found[1, :, :, :, :-1] = images.diff(dim=3)
    return found


def _back(dual: Tensor) -> Tensor:
    """Return the transpose of `_differences`."""
    found = torch.zeros_like(dual[0])
    found[:, :, :-1] -= dual[0, :, :, :-1]
    found[:, :, 1:] += dual[0, :, :, :-1]
    found[..., :-1] -= dual[1, ..., :-1]
    found[..., 1:] += dual[1, ..., :-1]
    return found
