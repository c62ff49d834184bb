"""Adversarial training on another network's attacked images, as paper 004 (Mezhoudi and Vu, 2022) trains its rivals.

Its ResNet-18 learns from images that were attacked on a finished VGG-19: data augmentation, not a game of two sides.
How the paper mixes clean and attacked images is not said; here they weigh one half each.

    Run(StaticAT(vgg19, BIM(Linf(16 / 255), steps=20, step_size=0.1)), "resnet-18", "cifar10", epochs=50)  # its AT-PGD
    holdfast train StaticAT --others runs/vgg19 --model resnet-18 --data cifar10                           # its AT-FGSM
"""

from dataclasses import dataclass, replace

from torch import nn

from holdfast.attacks import FGSM, Attack
from holdfast.data import ImageSet
from holdfast.errors import UsageError, require
from holdfast.methods.finished_classifier import finished_classifier
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import Finished, LossMethod, Origin
from holdfast.methods.mixed_at import check_weight, mixed_loss
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class StaticAT(LossMethod):
    """Clean images, and images attacked on a finished network: that of one run, which stays as it is.

    It is `EAT` with one source, without the network in training, and with true labels.
    """

    source: Origin | None = None
    """The run whose network is attacked."""
    attack: Attack = FGSM(Linf(16 / 255))
    weight: float = 0.5
    """What the attacked images weigh; the clean ones weigh the rest."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        super().__post_init__()
        check_weight(self.weight)

    def using(self, runs: tuple[Origin, ...]) -> "StaticAT":
        """Attack the network of the one run."""
        require(len(runs) == 1, f"StaticAT attacks one network, and {len(runs)} runs are given", UsageError)
        return replace(self, source=runs[0])

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the network that is attacked."""
        if self.source is None:
            raise UsageError("StaticAT needs the run of a classifier: source, or --others FOLDER")
        return Memory(source=Borrowed(finished_classifier(self.source, train_set, finished)))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Attack the other network, and train on clean and attacked images."""
        attacked = self.attack(memory.source.network, batch.images, batch.labels)
        return mixed_loss(model, batch.images, attacked, batch.labels, self.weight)
