"""Averages of the weights that a run passes through, as values: judged and kept in place of the last weights."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from holdfast.fields import Interval, check_fields

Part = Annotated[float, Interval(0, 1, "[)")]


@dataclass(frozen=True)
class Average(ABC):
    """How much of the trained weights an average takes after each step: a pure function, so nothing else is saved."""

    recomputes: ClassVar[bool]
    """Whether the statistics of batch norm are computed anew for the averaged weights, or are the trained network's."""

    def __post_init__(self) -> None:
        """Refuse fields of another type than the declared one, or out of their range."""
        check_fields(self)

    @abstractmethod
    def share(self, step: int, steps: int, per_epoch: int) -> float:
        """Return the part of the trained weights in the average once `step` of `steps` are done; 1 makes a copy."""


@dataclass(frozen=True)
class EMA(Average):
    """The exponential moving average over steps, as Rebuffi et al. (2021) and Wang et al. (2023) take it.

    The decay grows as (1 + k) / (10 + k) with the steps k since the warm-up, up to `decay`. The statistics of batch
    norm are those of the trained network.
    """

    recomputes: ClassVar[bool] = False
    decay: Part = 0.995
    """What the average keeps of itself at a step."""
    warm_up: Part = 0.025
    """The part of the run during which the average is the network itself."""

    def share(self, step: int, steps: int, per_epoch: int) -> float:
        """Return what the decay leaves."""
        since = step - 1 - self.warm_up * steps
        return 1.0 if since < 0 else 1 - min(self.decay, (1 + since) / (10 + since))


@dataclass(frozen=True)
class SWA(Average):
    """Stochastic weight averaging (Izmailov et al., 2018): the mean of the weights at the end of the later epochs.

    The statistics of batch norm are computed anew by a pass over the training images.
    """

    recomputes: ClassVar[bool] = True
    start: Part = 0.5
    """The part of the run after which the mean begins; until then it is the network itself."""

    def share(self, step: int, steps: int, per_epoch: int) -> float:
        """Return 1 / n at the end of the n-th epoch that counts, and 0 inside epochs."""
        if step % per_epoch and step < steps:
            return 0.0
        return 1 / max(1, math.ceil(step / per_epoch) - self.before(steps, per_epoch))

    def before(self, steps: int, per_epoch: int) -> int:
        """Return how many epochs end before the mean begins."""
        return math.floor(self.start * steps / per_epoch + 1e-9)  # 0.7 of 110 epochs is 77, and 76.99... in floats
