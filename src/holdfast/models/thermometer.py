"""Thermometer coding: Buckman et al., "Thermometer encoding: one hot way to resist adversarial examples" (2018).

A network is trained on the code, so it stands where a normalisation would, and nothing else fits its first layer.
"""

import torch
from torch import Tensor, nn

from holdfast.box import boxed
from holdfast.types import Images, Outputs

LEVELS = 16
"""What the authors take."""
REACH = 2
"""How many steps from a value those are that its gradient sees, on either side."""


class Thermometer(nn.Module):
    """Codes each value by which of `levels` equal steps it is above: (n, c, h, w) to (n, c * levels, h, w) of 0 and 1.

    Its own gradient is 0. As a step of a defence it declares what an attacker differentiates instead.
    """

    removable = False
    differentiable = False
    random = False
    steps: Tensor

    def __init__(self, levels: int = LEVELS) -> None:
        super().__init__()
        # In the state, so that weights without the code are not taken for a network with it.
        self.register_buffer("steps", torch.arange(levels).reshape(1, 1, -1, 1, 1) / levels)

    def forward(self, images: Images) -> Outputs:
        """Return the code."""
        return self._above(images).sign().clamp_min(0).flatten(1, 2)

    def stand_in(self, images: Images) -> Outputs:
        """Return ramps from 0 to 1 around the steps.

        They have a gradient on both sides of a step. That of Athalye et al. (2018), min(max(x - step, 0), 1), has none
        below it, so it does not see the steps that a value could climb.
        """
        return boxed(0.5 + self._above(images) * self.steps.shape[2] / (2 * REACH)).flatten(1, 2)

    def _above(self, images: Images) -> Tensor:
        return images[:, :, None] - self.steps
