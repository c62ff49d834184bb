"""TRADES (Zhang et al.: "Theoretically principled trade-off between robustness and accuracy", 2019, equation 5)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import objective_of
from holdfast.errors import require
from holdfast.fields import Interval
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod, mixed, predict
from holdfast.objectives import SmoothedCrossEntropy, cross_entropy, divergence
from holdfast.rng import Stream
from holdfast.storage.describe import later
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class TRADES(CraftedMethod):
    """Cross-entropy on clean images, and beta times the divergence between the answers to clean and attacked ones.

    The released code passes the clean images through the network twice and the attacked ones once; here each passes
    once, which changes only what batch norm sees.
    """

    takes_mixtures: ClassVar[bool] = True
    attack: Attack = PGD(Linf(8 / 255), steps=10, step_size=0.007, random_start=False, objective=divergence)
    beta: float = 6.0
    """The paper's 1 / lambda."""
    noise: float = 0.001
    """Deviation of the normal noise that the attack starts from; at the image itself the divergence has no slope."""
    smoothing: Annotated[float, Interval(0, 1, "[)")] = later(0.0)
    """What each label gives away in equal parts to all classes, its own too, on clean images: 0.1 in recent recipes."""

    def __post_init__(self) -> None:
        """Refuse an inner attack that does not compare with the clean answer, and a price below nothing."""
        super().__post_init__()
        require(self.beta >= 0, f"beta = {self.beta}, not 0 or more")
        require(
            objective_of(self.attack) is divergence,
            "TRADES' inner attack maximises the divergence: give it objective=divergence",
        )

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack the network's clean answers, from a little noise around each image."""
        images = batch.images
        start = images + self.noise * Stream.of(images, 0, "TRADES").normal(images.shape[1:])
        return (self.attack(model, images, predict(model, images), start),)

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the two terms; the gradient flows through both answers."""
        (attacked,) = crafted
        clean = model(batch.images)
        given = self.smoothing * (1 - 1 / clean.shape[1])
        objective = SmoothedCrossEntropy(given) if given else cross_entropy
        return {
            "clean": mixed(objective, clean, batch).mean(),
            "robust": self.beta * divergence(model(attacked), clean).mean(),
        }
