"""A step whose gradient is none, or misleads, with another in its place: backward pass differentiable approximation
(Athalye et al.: "Obfuscated gradients give a false sense of security", 2018, section 4.1).
"""

from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import ModelFault
from holdfast.types import Network, Outputs


class StraightThrough(nn.Module):
    """A module that answers exactly as another, and has the gradient of a stand-in."""

    def __init__(self, module: Network, stand_in: Network | None) -> None:
        super().__init__()
        self.module = module
        self.stand_in = stand_in

    def forward(self, images: Outputs) -> Outputs:
        """Return the module's answer.

        Raises:
            ModelFault: the answer has not the shape of the stand-in's.
        """
        with torch.no_grad():
            exact: Tensor = self.module(images)
        near: Tensor = images if self.stand_in is None else self.stand_in(images)
        if exact.shape != near.shape:
            what = "the identity" if self.stand_in is None else "the stand-in"
            raise ModelFault(
                f"straight_through: the module answers with shape {tuple(exact.shape)}, {what} with "
                f"{tuple(near.shape)}: give a differentiable `backward` of the same shape"
            )
        answer: Tensor = _Exchanged.apply(exact, near)
        return answer


class _Exchanged(torch.autograd.Function):
    """The first argument forward, the second one's gradient backward; a sum of differences would round."""

    @staticmethod
    def forward(exact: Tensor, near: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


def straight_through(module: Network, backward: Network | None = None) -> StraightThrough:
    """Return a step that answers exactly as `module` and is differentiated as `backward`, or as the identity.

    `module` may round, look up, or leave torch altogether; its own weights get no gradient. For the identity it must
    return the shape it was given.

        defended = nn.Sequential(straight_through(purifier), classifier)
    """
    return StraightThrough(module, backward)
