"""A unified embedding (Na, Ko, Mukhopadhyay: "Cascade adversarial machine learning regularized with a unified
embedding", 2017, algorithm 1): paper 002."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

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
from holdfast.models import capture
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class UnifiedEmbedding(LossMethod):
    """Kurakin's training with each attacked image beside its clean partner, and a penalty on how far they are embedded.

    A batch of n images is shown as n attacked and n clean ones. With `SavedImages` among the adversaries it is the P_C
    of cascade adversarial training.
    """

    adversaries: Adversaries = (StepLL(Linf(16 / 255)),)
    """What attacks the images, each an equal part of them: attacks, or images saved from another run."""
    weight: float = 0.3
    """What an attacked image counts in the cross-entropy: the paper's lambda."""
    penalty: float = 1e-4
    """What the distances count, summed over the batch: the paper's lambda_2."""
    pivot: bool = True
    """The clean embedding is a constant; without it both move ("bidirectional"), as always in the released code."""
    power: Literal[1, 2] = 2
    """The paper's N."""
    half: bool = True
    """With power 2, half the square, as in the released code that the paper's penalties are for."""
    embedding: str = "output"
    """A named layer of the network; the paper's is the argument of the softmax."""
    share: float = 1.0
    """The share of a batch's images that is attacked."""
    eps_sampler: EpsSampler = clipped_normal
    """Draws each image's share of eps."""

    def __post_init__(self) -> None:
        """Refuse what no batch can be mixed from."""
        super().__post_init__()
        check_adversaries(self.adversaries, self.share, self.weight)
        require(self.penalty >= 0, f"penalty = {self.penalty}, not 0 or more")

    @property
    def by_place(self) -> bool:
        """Whether the first of each batch are treated apart."""
        return mixes_by_place(self.adversaries, self.share)

    def check_batch(self, images: int) -> None:
        """Refuse a batch too small for its share of attacked images."""
        check_places(self.adversaries, self.share, images)

    def using(self, runs: tuple[Origin, ...]) -> "UnifiedEmbedding":
        """Show images saved from these runs, too: cascade adversarial training."""
        return replace(self, adversaries=(*self.adversaries, *saved_from(runs, self.adversaries)))

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Open the banks of saved images, made first where they are missing."""
        return Memory(**banks(self.adversaries, train_set, finished))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Mix the batch, show it at once, weigh, and add what the distances cost."""
        shown = mixed(model, batch, memory, self.adversaries, self.share, self.eps_sampler, paired=True)
        with capture(model, self.embedding) as seen:
            logits = model(shown.images)
            embedded = seen[self.embedding].float()
        attacked, clean = embedded[: shown.attacked], embedded[shown.attacked : 2 * shown.attacked]
        gap = self.distance(attacked - (clean.detach() if self.pivot else clean))
        return mixed_cross_entropy(logits, shown, self.weight) | {"distance": self.penalty * gap}

    def distance(self, change: Tensor) -> Tensor:
        """Return the sum of |change| to the paper's power, over all images."""
        if self.power == 1:
            return change.abs().sum()
        return change.square().sum() * (0.5 if self.half else 1.0)
