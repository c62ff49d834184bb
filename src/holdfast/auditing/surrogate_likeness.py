"""How far two networks are apart on some images, in what they answer and in the gradients of that."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from holdfast.passes import spend
from holdfast.types import Images, Outputs


class Difference(NamedTuple):
    """How far two networks are apart: or how far they may be."""

    logits: float
    """The largest difference of logits, relative to the largest difference within the network's own."""
    gradients: float
    """The length of the difference of an image's gradients, relative to that of its own; the median of all images."""

    def within(self, tolerance: "Difference") -> bool:
        """Say whether neither is larger than the tolerance; NaN is."""
        return self.logits <= tolerance.logits and self.gradients <= tolerance.gradients


EXACT = Difference(1e-4, 5e-2)
"""What the rounding of float32 may do: little to logits; a gradient jumps where a ReLU changes sides."""
ROUNDED = Difference(5e-2, 0.5)
"""What products of 8 significant bits may do: bfloat16."""


class Reference(NamedTuple):
    """What a network answers, and the gradient of half the sum of squares of that towards the images."""

    answer: Outputs
    gradient: Images
    """Zeros where none reaches them."""


def ask(network: nn.Module, images: Images) -> Reference:
    """Ask a network once, forward and backward."""
    x = images.detach().requires_grad_()
    answer: Tensor = network(x)
    spend(forwards=len(x), backwards=len(x))
    gradient = None
    if answer.requires_grad:
        gradient = torch.autograd.grad(answer.square().sum() / 2, x, allow_unused=True)[0]
    return Reference(answer.detach().float(), torch.zeros_like(images) if gradient is None else gradient)


def compare(one: Reference, other: Reference) -> Difference:
    """Return how far one is from the other."""
    spread = (other.answer.amax() - other.answer.amin())[None]
    lengths = (one.gradient - other.gradient).flatten(1).norm(dim=1), other.gradient.flatten(1).norm(dim=1)
    return Difference(_share((one.answer - other.answer).abs().amax()[None], spread), _share(*lengths))


def _share(part: Tensor, whole: Tensor) -> float:
    """Return the median of part / whole; nothing is no part of nothing."""
    return float(torch.where(part == 0, 0, part / whole).median())
