"""NRP (Naseer et al.: "A self-supervised approach for adversarial robustness", 2020): paper 004's rival.

The training was never released; its author says that it is BasicSR's, whose relativistic losses these are: the purifier
moves first, then the critic. The weights are those of ESRGAN's options, which agree with the paper.

    Run(NRP(vgg16), "nrp", "cifar10", batch=16, optimizer=Adam(1e-4))
    holdfast train NRP --others runs/vgg16 --model nrp --data cifar10 --optimizer Adam --batch 16
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.fields import Count, NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Update
from holdfast.methods.purifier import Distance, PurifierMethod
from holdfast.models.architecture import Shape
from holdfast.models.nrp_critic import NRPCritic
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class NRP(PurifierMethod):
    """A purifier against a relativistic critic, near the clean image in a classifier's features above all."""

    layers: tuple[str, ...] = ("block3",)
    """Theirs is the third block of VGG-16, before its pool."""
    adversarial_weight: NonNegative = 5e-3
    pixel_weight: NonNegative = 1e-2
    perceptual: Distance = "l1"
    width: Count = 64
    """The channels of the critic's first layer."""

    def judges(self, shape: Shape) -> dict[str, nn.Module]:
        """Return the critic."""
        return {"critic": NRPCritic(shape[0], shape[1:], self.width)}

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Move the purifier, then the critic, by the same purified images."""
        x, C = batch.images, memory.critic
        purified = model(self.shown(batch, memory))
        with torch.no_grad():
            real = C(x)
        fooled = self.adversarial_weight * relativistic(C(purified), real)
        terms = {"adversarial": fooled, **self.nearness(purified, x, memory)}
        update(torch.stack(list(terms.values())).sum())
        judged = relativistic(C(x), C(purified.detach()))
        update(judged, "critic")
        return {"critic": judged, **terms}


def relativistic(higher: Tensor, lower: Tensor) -> Tensor:
    """Return the loss of saying that `higher` are more real than `lower` on average, and these less (ESRGAN, 2018)."""
    higher, lower = higher.float(), lower.float()
    above, below = higher - lower.mean(), lower - higher.mean()
    # softplus(-z) is the cross-entropy of the logit z with 1, and softplus(z) that with 0.
    return (F.softplus(-above).mean() + F.softplus(below).mean()) / 2
