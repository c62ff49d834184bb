"""The accuracy of a network by corruption and severity, its means, and the mean corruption error where there is one.

Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", 2019. Their
mean corruption error (mCE) divides the errors by those of a baseline, corruption by corruption. Without a baseline
there is none, and a mean of errors that nothing was divided by is another number.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.auditing.corruption_baselines import BASELINES
from holdfast.data.corrupted import MAIN, SEVERITIES
from holdfast.metrics import share_of


@dataclass(frozen=True)
class CorruptionReport:
    """Which images a network reads correctly, by corruption, severity and image."""

    data: str
    severities: tuple[int, ...]
    right: Mapping[str, Tensor]
    """Of each corruption flags of shape (severities, images)."""
    baseline: str | None = None
    """The name of the baseline that errors are divided by."""
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """The number of images of each corruption and severity."""
        return next(iter(self.right.values())).shape[1]

    @property
    def main(self) -> tuple[str, ...]:
        """The corruptions that means are over: those of the fifteen that are there, or all where none of them is."""
        return tuple(name for name in self.right if name in MAIN) or tuple(self.right)

    def accuracy(self, corruption: str) -> float:
        """Return the mean accuracy over the severities."""
        return share_of(self.right[corruption].flatten())

    def accuracies(self, corruption: str) -> tuple[float, ...]:
        """Return the accuracy at each severity."""
        return tuple(map(share_of, self.right[corruption]))

    def accuracy_at(self, severity: int) -> float:
        """Return the mean accuracy over the main corruptions at one severity."""
        place = self.severities.index(severity)
        return share_of(torch.cat([self.right[name][place] for name in self.main]))

    @property
    def mean_accuracy(self) -> float:
        """The mean over the main corruptions and the severities."""
        return share_of(torch.stack([self.right[name] for name in self.main]).flatten())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean that the number of images leaves, from how differently images fare."""
        of_image = torch.stack([self.right[name] for name in self.main]).double().mean((0, 1))
        half = 1.959964 * float(of_image.std()) / math.sqrt(self.count) if self.count > 1 else 1.0
        return max(0.0, self.mean_accuracy - half), min(1.0, self.mean_accuracy + half)

    @property
    def without_mce(self) -> str:
        """Why there is no mCE, in words; empty where there is one."""
        if self.baseline is None:
            return "no baseline was named"
        known = BASELINES[self.baseline]
        lacking = [name for name in known.errors if name not in self.right]
        if known.data != self.data:
            return f"the baseline {self.baseline} is of {known.data}, not of {self.data}"
        if self.severities != SEVERITIES:
            return f"it is over severities 1 to 5, not {', '.join(map(str, self.severities))}"
        return f"it is over fifteen corruptions, of which are missing {', '.join(lacking)}" if lacking else ""

    def corruption_error(self, corruption: str) -> float | None:
        """Return the error divided by the baseline's; None where there is no mCE or the baseline does not say it."""
        known = None if self.without_mce or self.baseline is None else BASELINES[self.baseline].errors.get(corruption)
        return None if known is None else (1 - self.accuracy(corruption)) / known

    @property
    def mce(self) -> float | None:
        """The mean corruption error as a share (0.767, where papers say 76.7); None where there is none."""
        errors = [error for name in self.right if (error := self.corruption_error(name)) is not None]
        return statistics.fmean(errors) if errors else None

    def __str__(self) -> str:
        """Return the accuracies as a table, and the means."""
        wide = max(map(len, self.right))
        heads = "".join(f"{f'severity {each}':>12}" for each in self.severities)
        lines = [f"{'':<{wide}}{heads}{'mean':>9}"]
        for name in self.right:
            cells = "".join(f"{each:>12.2%}" for each in self.accuracies(name))
            lines.append(f"{name:<{wide}}{cells}{self.accuracy(name):>9.2%}{'' if name in self.main else '  (extra)'}")
        low, high = self.interval
        return "\n".join(
            [*lines, *self.words(), f"95 % interval of the mean {low:.2%} to {high:.2%}, {self.count:,} images"]
        )

    def words(self) -> list[str]:
        """Return the means in words."""
        missing = len(MAIN) - len(set(self.main) & set(MAIN))
        some = f" ({missing} of the usual fifteen are missing)" if 0 < missing < len(MAIN) else ""
        mean = f"mean accuracy {self.mean_accuracy:.2%} over {len(self.main)} corruptions{some}"
        error = f"mean error {1 - self.mean_accuracy:.2%}, divided by no baseline"
        mce = f"no mCE: {self.without_mce}" if self.mce is None else f"mCE {self.mce:.2%}, against {self.baseline}"
        return [mean, error, mce]
