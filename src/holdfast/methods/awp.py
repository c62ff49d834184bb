"""Adversarial weight perturbation (Wu, Xia, Wang, 2020: "Adversarial weight perturbation helps robust generalization").

The worst weights near those of the network, for the attacked images of a batch, are what it is trained at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import nn

from holdfast.data import ImageSet
from holdfast.fields import Interval, NonNegative
from holdfast.methods.at import AT
from holdfast.methods.memory import Memory
from holdfast.methods.method import CraftedMethod, Finished, Method, Origin, Update, check_terms
from holdfast.storage.describe import later
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class AWP(Method):
    """Any method that crafts and then weighs, with its loss at the worst weights nearby (equation 7, one step).

    The images are attacked once, before the weights move. The released code lets weight decay act on the moved weights;
    here it acts on those that are kept.
    """

    method: CraftedMethod = AT()
    gamma: NonNegative = 0.005
    """How far the weights of a layer move, as a part of their length: 0.005 for AT and TRADES in the paper; the
    released code takes 0.01 for AT."""
    warm_up: Annotated[int, Interval(0)] = later(0)
    """Epochs before the weights move at all: 10 for TRADES in the released code."""

    def using(self, runs: tuple[Origin, ...]) -> "AWP":
        """Let the method inside use them."""
        inner: Any = self.method.using(runs)
        return replace(self, method=inner)

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep what the method keeps, and with a warm-up how many images are still in it."""
        kept = self.method.remember(model, train_set, finished)
        left = torch.tensor(self.warm_up * finished.count)
        return Memory(inner=kept, left=left) if self.warm_up else kept

    def inner(self, memory: Memory) -> Memory:
        """Return what the method itself keeps."""
        kept: Memory = memory.inner if self.warm_up else memory
        return kept

    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        """Return the networks that the method trains."""
        return self.method.trained(model, self.inner(memory))

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Climb along the gradient, take the gradient there, go back, and step."""
        kept = self.inner(memory)
        if self.warm_up and memory.left > 0:
            memory.left -= len(batch.images)
            return self.method.step(model, batch, kept, update)
        crafted = self.method.craft(model, batch, kept)
        with statistics_kept(model):
            update.backward(torch.stack(list(self.method.weigh(model, batch, kept, crafted).values())).sum())
        with moved(model, self.gamma):
            terms = check_terms(self.method, self.method.weigh(model, batch, kept, crafted))
            update.backward(torch.stack(list(terms.values())).sum())
        update.apply()
        return terms


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Put the running statistics of batch norm back to where they were: one pass a step moves them, not two."""
    before = [(kept, kept.clone()) for kept in model.buffers()]
    try:
        yield
    finally:
        for kept, value in before:
            kept.copy_(value)


@contextmanager
def moved(model: nn.Module, gamma: float) -> Iterator[None]:
    """Move the weights of each layer by gamma |w| along their gradient, and back; vectors, as biases, stay."""
    layers = [weight for weight in model.parameters() if weight.ndim > 1 and weight.grad is not None]
    before = [weight.detach().clone() for weight in layers]
    with torch.no_grad():
        for weight in layers:
            assert weight.grad is not None
            weight.add_(weight.grad * (gamma * weight.norm() / (weight.grad.norm() + 1e-20)))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(layers, before, strict=True):
                weight.copy_(value)
