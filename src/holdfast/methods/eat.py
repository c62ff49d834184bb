"""Ensemble adversarial training (Tramer et al.: "Ensemble adversarial training: attacks and defenses", 2018)."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from holdfast.attacks import FGSM, Attack
from holdfast.data import ImageSet
from holdfast.errors import UsageError, require
from holdfast.methods.finished_classifier import finished_classifier
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import Finished, LossMethod, Origin, predict
from holdfast.methods.mixed_at import check_weight, mixed_loss
from holdfast.rng import Stream
from holdfast.storage.describe import later
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class EAT(LossMethod):
    """Clean images, and images attacked by one step on a network drawn for each batch: itself, or one that stays.

    The authors' code attacks networks in training mode; here they are at rest.
    """

    sources: tuple[Origin, ...] = ()
    """Runs whose networks are attacked beside the one in training; without any it is FGSM-Adv."""
    attack: Attack = FGSM()
    labels: Literal["true", "predicted"] = "predicted"
    """Which class the attack moves away from: the attacked network's answer (the authors' code), or the true one."""
    weight: float = 0.5
    """What the attacked images weigh; the clean ones weigh the rest."""
    itself: bool = later(True)
    """Whether the network in training is among those that are attacked."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        super().__post_init__()
        check_weight(self.weight)

    def using(self, runs: tuple[Origin, ...]) -> "EAT":
        """Attack the networks of these runs, too."""
        return replace(self, sources=runs)

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the networks that stay as they are."""
        words = (
            "EAT attacks no network: without the one in training (itself) it needs runs: sources, or --others FOLDER"
        )
        require(self.itself or bool(self.sources), words, UsageError)
        return Memory(
            static=nn.ModuleList(
                [Borrowed(finished_classifier(source, train_set, finished)) for source in self.sources]
            )
        )

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Draw the network, attack it, and train on clean and attacked images."""
        networks = [*([model] if self.itself else []), *memory.static]
        # Drawn on the processor: a batch's own stream would make the device wait.
        drawn = Stream.at(torch.zeros(1, dtype=torch.int64), 0, "EAT").uniform((1,))
        source = networks[int(drawn * len(networks))]
        targets = batch.labels if self.labels == "true" else predict(source, batch.images).argmax(1)
        attacked = self.attack(source, batch.images, targets)
        return mixed_loss(model, batch.images, attacked, batch.labels, self.weight)
