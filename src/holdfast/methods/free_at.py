"""Free adversarial training (Shafahi et al.: "Adversarial training for free!", 2019, algorithm 1)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from holdfast.attacks.attack import full_step
from holdfast.box import boxed
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.methods.memory import Memory
from holdfast.methods.method import Finished, Method, Update, check_linf
from holdfast.objectives import cross_entropy
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class FreeAT(Method):
    """Each batch is trained on m times; one pass back gives the gradient of the weights and that of the attack.

    Give it an m-th of the epochs of other methods: it takes m steps a batch. The change belongs to the place in the
    batch, not to the image, and is carried to whatever image comes next there, as in the authors' code.
    """

    threat: Linf = Linf()
    m: int = 2
    """How often each batch is replayed: the authors take 8 on CIFAR-10 and 4 on ImageNet, paper 003 takes 10."""
    step_size: float | None = None
    """eps where none is given, as in the authors' code."""
    begin: Literal["carried", "zero"] = "carried"
    """What a new batch begins with: the change that the last batch left, or none (a common misreading)."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        check_linf(self.threat, "FreeAT")
        super().__post_init__()
        require(self.m >= 1, f"FreeAT: m = {self.m}, not 1 or more")
        require(self.step_size is None or self.step_size >= 0, f"FreeAT: step_size = {self.step_size}, not 0 or more")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep the change at each place of a batch; the first batch says how many places there are."""
        return Memory(change=torch.zeros(0, *train_set.shape, device=train_set.device))

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Replay the batch: one pass, one step of the weights, one step of the change, on the same gradients."""
        images, losses = batch.images, []
        if memory.change.shape[1:] != images.shape[1:] or len(memory.change) < len(images):
            memory.change = torch.zeros_like(images)
        change = memory.change[: len(images)].clone()  # a last, smaller batch uses the first places
        if self.begin == "zero":
            change.zero_()
        size = full_step(self.threat) if self.step_size is None else self.step_size
        for _ in range(self.m):
            change.requires_grad_()
            loss = cross_entropy(model(boxed(images + change)), batch.labels).mean()
            update.backward(loss, beside=(change,))
            update.apply()
            assert change.grad is not None, "it was asked for"
            # Kept in the ball only, not in [0, 1]: the next batch brings other images.
            change = (change.detach() + size * change.grad.sign()).clamp(-self.threat.eps, self.threat.eps)
            losses.append(loss.detach())
        memory.change[: len(images)] = change
        return {"attacked": torch.stack(losses).mean()}
