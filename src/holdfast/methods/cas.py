"""Training with channel-wise activation suppressing (CAS; Bai et al.: "Improving adversarial robustness via
channel-wise activation suppressing", 2021): the auxiliary heads of the network are attacked and trained with it.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.attack import objective_of
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.fields import NonNegative
from holdfast.methods.mart import boost, doubt, kept_divergence
from holdfast.methods.memory import Memory
from holdfast.methods.method import Crafted, CraftedMethod, Finished, predict
from holdfast.models import WithAuxiliary, labelled
from holdfast.objectives import Joint, cross_entropy, divergence
from holdfast.rng import Stream
from holdfast.threats import Linf
from holdfast.types import Batch, Images, Terms

Form = Literal["AT", "TRADES", "MART"]


@dataclass(frozen=True)
class CAS(CraftedMethod):
    """AT, TRADES or MART on a network that suppresses activations, with what its auxiliary heads lose added.

    A head counts as `weight` times the mean over all heads, in the attack as in the loss. In training the heads
    suppress by the true label. The released steps are 2/255 for AT and 0.007 for the others, which start in noise.
    """

    example_network: ClassVar[str] = "wrn-10-1-cas"

    form: Form = "TRADES"
    attack: Attack = PGD(Linf(8 / 255), steps=10, step_size=0.007)
    """Its objective is that of the form, on all logits."""
    weight: NonNegative = 2.0
    """What the auxiliary heads weigh: the paper's beta."""
    beta: NonNegative = 4.0
    """What the divergence weighs: 4 with TRADES and 5 with MART in the released code."""
    noise: NonNegative = 0.001
    """Deviation of the normal noise that the attacks of TRADES and MART start from."""

    def __post_init__(self) -> None:
        """Refuse an attack without an objective to put in the place of its own."""
        super().__post_init__()
        require(objective_of(self.attack) is not None, f"CAS: {self.attack} has no objective: give PGD, say")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep nothing; refuse a network without auxiliary heads."""
        WithAuxiliary(model)
        return Memory()

    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Attack logits and auxiliary logits together, the network at rest."""
        whole, images = WithAuxiliary(model), batch.images
        attack: Any = self.attack
        if self.form == "TRADES":
            attack = replace(attack, objective=Joint(divergence, self.weight))
            return (attack(whole, images, predict(whole, images), self.noisy(images)),)
        attack = replace(attack, objective=Joint(cross_entropy, self.weight))
        return (attack(whole, images, batch.labels, None if self.form == "AT" else self.noisy(images)),)

    def noisy(self, images: Images) -> Images:
        """Return where an attack starts."""
        return images + self.noise * Stream.of(images, 0, "CAS").normal(images.shape[1:])

    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return the form's terms, each with what the heads lose added."""
        (attacked,), labels, whole = crafted, batch.labels, WithAuxiliary(model)
        joint = Joint(cross_entropy, self.weight)
        with labelled(model, labels):
            if self.form == "AT":
                return {"attacked": joint(whole(attacked), labels).mean()}
            clean, found = whole(batch.images), whole(attacked)
        if self.form == "TRADES":
            robust = Joint(divergence, self.weight)(found, clean)
            return {"clean": joint(clean, labels).mean(), "robust": self.beta * robust.mean()}
        # Of MART each head is doubted as much as the network's own answer is.
        robust = Joint(kept_divergence, self.weight)(found, clean) * doubt(clean[:, 0], labels)
        return {
            "attacked": joint(found, labels).mean(),
            "boosted": Joint(boost, self.weight)(found, labels).mean(),
            "robust": self.beta * robust.mean(),
        }
