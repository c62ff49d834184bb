"""Kurakin's adversarial training ("Adversarial machine learning at scale", 2017), as paper 002 compares with it."""

from dataclasses import dataclass, replace

from torch import nn

from holdfast.attacks import StepLL
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.methods.bank import banks
from holdfast.methods.eps_sampling import EpsSampler, clipped_normal
from holdfast.methods.memory import Memory
from holdfast.methods.method import Finished, LossMethod, Origin
from holdfast.methods.mixed_batch import (
    Adversaries,
    check_adversaries,
    check_places,
    mixed,
    mixed_cross_entropy,
    mixes_by_place,
    saved_from,
)
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class Kurakin(LossMethod):
    """Cross-entropy on batches of which a part is attacked by one step, each image with its own random eps.

    With `SavedImages` among the adversaries it is the K_C of cascade adversarial training (Na et al., 2017).
    """

    adversaries: Adversaries = (StepLL(Linf(16 / 255)),)
    """What attacks the images, each an equal part of them: attacks, or images saved from another run."""
    weight: float = 0.3
    """What an attacked image counts: the paper's lambda."""
    share: float = 0.5
    """The share of a batch's images that is attacked."""
    paired: bool = False
    """Show the clean partners of the attacked images too; without it the attacked take their place."""
    eps_sampler: EpsSampler = clipped_normal
    """Draws each image's share of eps."""

    def __post_init__(self) -> None:
        """Refuse what no batch can be mixed from."""
        super().__post_init__()
        check_adversaries(self.adversaries, self.share, self.weight)
        shown = self.paired or self.share < 1 or self.weight > 0
        require(shown, "share = 1 and weight = 0: no clean image is shown, and the attacked ones count for nothing")

    @property
    def by_place(self) -> bool:
        """Whether the first of each batch are treated apart."""
        return mixes_by_place(self.adversaries, self.share)

    def check_batch(self, images: int) -> None:
        """Refuse a batch too small for its share of attacked images."""
        check_places(self.adversaries, self.share, images)

    def using(self, runs: tuple[Origin, ...]) -> "Kurakin":
        """Show images saved from these runs, too: cascade adversarial training."""
        return replace(self, adversaries=(*self.adversaries, *saved_from(runs, self.adversaries)))

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Open the banks of saved images, made first where they are missing."""
        return Memory(**banks(self.adversaries, train_set, finished))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Mix the batch, show it at once, and weigh."""
        shown = mixed(model, batch, memory, self.adversaries, self.share, self.eps_sampler, self.paired)
        return mixed_cross_entropy(model(shown.images), shown, self.weight)
