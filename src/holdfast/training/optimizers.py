"""How weights move: optimizers of torch as values."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import nn

from holdfast.errors import require
from holdfast.fields import Interval, check_fields
from holdfast.storage.describe import later


class Optimizer(ABC):
    """A recipe for an optimizer of torch."""

    lr: float
    weight_decay: float

    def __post_init__(self) -> None:
        """Refuse rates below zero."""
        check_fields(self)
        require(self.lr >= 0, f"lr = {self.lr}, not 0 or more")
        require(self.weight_decay >= 0, f"weight_decay = {self.weight_decay}, not 0 or more")

    @abstractmethod
    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of these weights."""


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent."""

    lr: float = 0.1
    momentum: Annotated[float, Interval(0, 1, "[)")] = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    decayed: Literal["all", "kernels"] = later("all")
    """All weights, as torch does it, or those of convolutions and linear layers without biases and batch norm."""

    def __post_init__(self) -> None:
        """Refuse fields out of range, and Nesterov's momentum without any."""
        super().__post_init__()
        require(self.momentum > 0 or not self.nesterov, f"momentum = {self.momentum}: nesterov needs one above 0")

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's SGD."""
        weights = list(parameters)
        groups: list[dict[str, Any]] = [{"params": weights}]
        if self.decayed == "kernels":
            kernels, others = ([each for each in weights if (each.ndim > 1) is kernel] for kernel in (True, False))
            groups = [{"params": kernels}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, self.lr, self.momentum, weight_decay=self.weight_decay, nesterov=self.nesterov)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015)."""

    lr: float = 1e-3
    weight_decay: float = 0.0
    betas: tuple[float, float] = later((0.9, 0.999))
    """The decay rates of the running means of the gradient and of its square."""

    def __post_init__(self) -> None:
        """Refuse decay rates outside [0, 1)."""
        super().__post_init__()
        require(all(0 <= beta < 1 for beta in self.betas), f"betas = {self.betas}: each is in [0, 1)")

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's Adam."""
        return torch.optim.Adam(parameters, self.lr, self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    lr: float = 1e-3
    weight_decay: float = 0.01

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's AdamW."""
        return torch.optim.AdamW(parameters, self.lr, weight_decay=self.weight_decay)
