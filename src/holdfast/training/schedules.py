"""How the learning rate moves: schedules as values."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from holdfast.errors import require
from holdfast.fields import Interval, NonNegative, check_fields
from holdfast.storage.describe import later


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
    by: NonNegative = 0.1

    def factor(self, epoch: float, epochs: float) -> float:
        """Return by to the power of the milestones passed."""
        return self.by ** sum(epoch >= milestone for milestone in self.at)


@dataclass(frozen=True)
class Levels(Schedule):
    """The rate is multiplied by each of `factors` from one milestone to the next: one more factor than milestones."""

    at: tuple[float, ...] = (75, 90)
    factors: tuple[float, ...] = (1.0, 0.1, 0.01)

    def __post_init__(self) -> None:
        """Refuse factors that do not fit between the milestones, or that would climb the loss."""
        super().__post_init__()
        words = f"{len(self.at)} milestones and {len(self.factors)} factors: there is one factor more"
        require(len(self.factors) == len(self.at) + 1, words)
        require(min(self.factors) >= 0, f"Levels: factors = {self.factors}: each is 0 or more")

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the factor behind the last milestone passed."""
        return self.factors[sum(epoch >= milestone for milestone in self.at)]


@dataclass(frozen=True)
class Cosine(Schedule):
    """From the full rate to zero along half a cosine (Loshchilov and Hutter, 2017)."""

    warm_up: Annotated[float, Interval(0, 1, "[)")] = later(0.0)
    """The part of the run in which the rate first rises from zero in a straight line."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the line's or the cosine's height."""
        share = min(1.0, epoch / epochs)
        if share < self.warm_up:
            return share / self.warm_up
        return (1 + math.cos(math.pi * (share - self.warm_up) / (1 - self.warm_up))) / 2


@dataclass(frozen=True)
class Triangle(Schedule):
    """Up to the full rate at `peak` of the run, then down to zero (the cyclic rate of fast adversarial training)."""

    peak: Annotated[float, Interval(0, 1)] = 0.3

    def factor(self, epoch: float, epochs: float) -> float:
        """Return the triangle's height."""
        share = epoch / epochs
        rises = share < self.peak or self.peak == 1
        return max(0.0, share / self.peak if rises else (1 - share) / (1 - self.peak))
