"""Activations pruned at random: Dhillon et al., "Stochastic activation pruning for robust adversarial defense" (2018).

As in the authors' notebook: p is an activation's share of the sum of all sizes in its layer and image.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from holdfast.defences.defence import Defence, Purifier, Step
from holdfast.defences.exchange import exchanged
from holdfast.errors import require
from holdfast.fields import Positive
from holdfast.types import Outputs


@dataclass(frozen=True)
class SAP(Defence):
    """Keeps, after each ReLU, the activations that are drawn in proportion to their size, and makes up for the rest.

    It works inside the classifier, on activations of any shape and range; their mean over many draws is what they were.

    defend(classifier, SAP())
    """

    random: ClassVar[bool] = True
    share: Positive = 1.0
    """How many draws, with replacement, as a share of the activations; the authors' SAP-100 is 1."""

    def __call__(self, activations: Outputs) -> Outputs:
        """Return what is kept of them; the gradient takes what was drawn, and its weights, as given."""
        return activations * self._weights(activations.detach().flatten(1)).reshape(activations.shape)

    def around(self, classifier: nn.Module) -> nn.Module:
        """Return the classifier with a step after each ReLU that is a module.

        Raises:
            BadValue: it has none, but for those inside its purifiers, which are not pruned.
        """
        pruned: list[nn.Module] = []
        found = exchanged(classifier, (nn.ReLU, Step, Purifier), lambda part: self._pruned(part, pruned))
        require(bool(pruned), f"SAP: {type(classifier).__name__} has no nn.ReLU module after which to prune")
        return found

    def _pruned(self, part: nn.Module, pruned: list[nn.Module]) -> nn.Module:
        """Return a ReLU with a step after it, and add it to those; what else is left whole is returned as it is."""
        if not isinstance(part, nn.ReLU):
            return part
        pruned.append(part)
        step = nn.Sequential(part, Step(self))
        step.training = step[1].training = part.training
        return step

    def _weights(self, activations: Tensor) -> Tensor:
        """Return 0 for each activation that was never drawn, and 1 / (1 - (1 - p)^draws) for the others."""
        draws = max(1, round(self.share * activations.shape[1]))
        sizes = activations.abs().double()  # of a hundred thousand sums of float32 the last would be rough
        chance = sizes / sizes.sum(1, keepdim=True).clamp_min(torch.finfo(sizes.dtype).tiny)
        ends = chance.cumsum(1)
        points = torch.rand(len(ends), draws, dtype=ends.dtype, device=ends.device) * ends[:, -1:]
        drawn = torch.searchsorted(ends, points, right=True).clamp_max(ends.shape[1] - 1)
        kept = torch.zeros_like(chance).scatter_(1, drawn, 1.0)
        ever = -torch.expm1(draws * torch.log1p(-chance))
        return torch.where((kept > 0) & (chance > 0), 1 / ever, 0).to(activations.dtype)
