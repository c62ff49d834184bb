"""Adversarial training on clean and attacked images together (Goodfellow et al., 2015; Kurakin et al., 2017).

With the attacks of paper 003 it is its FGSM-Adv, R+FGSM-Adv, BIM(n1, n2)-Adv and Madry(n1, n2)-Adv.
"""

from dataclasses import dataclass

from torch import nn

from holdfast.attacks import FGSM, Attack
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import LossMethod
from holdfast.objectives import cross_entropy
from holdfast.types import Batch, Images, Labels, Terms


@dataclass(frozen=True)
class MixedAT(LossMethod):
    """Cross-entropy on clean and on attacked images, one half each, whatever the attack."""

    attack: Attack = FGSM()
    weight: float = 0.5
    """What the attacked images weigh; the clean ones weigh the rest."""

    def __post_init__(self) -> None:
        """Refuse a weight that is no share."""
        super().__post_init__()
        check_weight(self.weight)

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Attack the network at rest, then return the two terms."""
        attacked = self.attack(model, batch.images, batch.labels)
        return mixed_loss(model, batch.images, attacked, batch.labels, self.weight)


def mixed_loss(model: nn.Module, images: Images, attacked: Images, labels: Labels, weight: float) -> Terms:
    """Return the cross-entropy on clean and on attacked images, the latter with `weight` from 0 to 1.

    Each kind passes the network on its own, so batch norm sees them apart. With a weight of 1 the clean images do not
    pass at all. Paper 003 does not say the weight; one half is that of the trainer in the platform it names.
    """
    robust = weight * cross_entropy(model(attacked), labels).mean()
    if weight == 1:
        return {"attacked": robust}
    return {"clean": (1 - weight) * cross_entropy(model(images), labels).mean(), "attacked": robust}


def check_weight(weight: float) -> None:
    """Refuse a weight that is no share."""
    require(0 <= weight <= 1, f"weight = {weight}: the attacked images weigh from 0 to 1, the clean ones the rest")
