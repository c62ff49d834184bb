"""How weights move: optimizers and learning-rate schedules as values."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from holdfast.errors import require
from holdfast.fields import check_fields
from holdfast.storage import record


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
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    decayed: Literal["all", "kernels"] = record.later("all")
    """All weights, as torch does it, or those of convolutions and linear layers without biases and batch norm."""

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

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's Adam."""
        return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    lr: float = 1e-3
    weight_decay: float = 0.01

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's AdamW."""
        return torch.optim.AdamW(parameters, self.lr, weight_decay=self.weight_decay)


class Schedule(ABC):
    """The learning rate as a pure function of time, so that a resumed run needs no state for it.

    Time is told in epochs, or in batches in a run that is measured in batches.
    """

    def __post_init__(self) -> None:
        """Refuse fields of another type than the declared one."""
        check_fields(self)

    @abstractmethod
    def factor(self, epoch: float, epochs: float) -> float:
        """Return what multiplies the learning rate after `epoch` of `epochs` epochs (fractions count)."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class Steps(Schedule):
    """The rate is multiplied by `by` at each of the given epochs, or batches in a run that is measured in batches."""

    at: tuple[float, ...] = (75, 90)
    by: float = 0.1

    def factor(self, epoch: float, epochs: float) -> float:
        """Return by to the power of the milestones passed."""
        return self.by ** sum(epoch >= milestone for milestone in self.at)


@dataclass(frozen=True)
class Levels(Schedule):
    """The rate is multiplied by each of `factors` from one milestone to the next: one more factor than milestones."""

    at: tuple[float, ...] = (75, 90)
    factors: tuple[float, ...] = (1.0, 0.1, 0.01)

    def __post_init__(self) -> None:
        """Refuse factors that do not fit between the milestones."""
        super().__post_init__()
        words = f"{len(self.at)} milestones and {len(self.factors)} factors: there is one factor more"
        require(len(self.factors) == len(self.at) + 1, words)

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the factor behind the last milestone passed."""
        return self.factors[sum(epoch >= milestone for milestone in self.at)]


@dataclass(frozen=True)
class Cosine(Schedule):
    """From the full rate to zero along half a cosine (Loshchilov and Hutter, 2017)."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the cosine's height."""
        return (1 + math.cos(math.pi * min(1.0, epoch / epochs))) / 2


@dataclass(frozen=True)
class Triangle(Schedule):
    """Up to the full rate at `peak` of the run, then down to zero (the cyclic rate of fast adversarial training)."""

    peak: float = 0.3

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the triangle's height."""
        share = epoch / epochs
        return max(0.0, share / self.peak if share < self.peak else (1 - share) / (1 - self.peak))
