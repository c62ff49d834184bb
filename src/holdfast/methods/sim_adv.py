"""SIM-Adv (Liu, Khalil, Khreishah: "Using single-step adversarial training to defend iterative adversarial examples").

Paper 003, section 5: the iteration of BIM is laid out over epochs. Each image keeps its attacked version from one epoch
to the next; an epoch adds one step, and after n2 epochs the image begins anew.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from holdfast.attacks import BIM
from holdfast.attacks.attack import full_step
from holdfast.data import ImageSet, read_view, write_view
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import Finished, LossMethod, crops_of
from holdfast.methods.mixed_at import check_weight, mixed_loss
from holdfast.threats import Linf, Threat, per_image
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class SIMAdv(LossMethod):
    """SIM(n1, n2)-Adv: one step of eps / n1 an epoch from where the last epoch left each image, anew every n2 epochs.

    The paper is silent on crops and flips: here an image's change is kept in the frame of the picture, and what the
    crop of this epoch does not show waits. What lies in the padding around the picture is forgotten.
    """

    threat: Threat = Linf()
    n1: float = 10.0
    """How many steps fill the ball."""
    n2: int = 20
    """How many epochs an image goes on before it begins anew; the paper takes 2 to 5 times n1 (over-perturbation).

    Give the run whole cycles of so many epochs: the changes of a first n1 epochs do not fill the ball yet.
    """
    steps: int = 1
    """Steps an epoch; the paper leaves more than one to others."""
    weight: float = 0.5
    """What the attacked images weigh; the clean ones weigh the rest."""
    kept_as: Literal["float32", "float16"] = "float32"
    """How the change of each image is kept: float16 takes half of the memory and rounds it."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        super().__post_init__()
        require(self.n1 > 0, f"SIMAdv: n1 = {self.n1}, not above 0")
        require(self.n2 >= 1, f"SIMAdv: n2 = {self.n2}, not 1 or more")
        require(self.steps >= 1, f"SIMAdv: steps = {self.steps}, not 1 or more")
        check_weight(self.weight)

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the change of each training image, and how often it was trained on."""
        crops_of(finished.augment, "SIMAdv")
        device = train_set.device
        change = torch.zeros(len(train_set), *train_set.shape, dtype=getattr(torch, self.kept_as), device=device)
        return Memory(change=change, visits=torch.zeros(len(train_set), dtype=torch.int32, device=device))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Take one step from the kept change, keep the new one, and train on both images (equations 14 to 16)."""
        images, index = batch.images, batch.index
        # An image comes once an epoch, so its visits are the epochs; counting them an image needs no clock.
        begins = memory.visits[index] % self.n2 == 0
        kept = torch.where(per_image(begins), 0.0, memory.change[index].float())
        start = images + read_view(kept, batch.view, (images.shape[2], images.shape[3]))
        attack = BIM(self.threat, steps=self.steps, step_size=full_step(self.threat) / self.n1)
        attacked = attack(model, images, batch.labels, start)
        memory.change[index] = write_view(kept, attacked - images, batch.view).to(memory.change.dtype)
        memory.visits[index] += 1
        return mixed_loss(model, images, attacked, batch.labels, self.weight)
