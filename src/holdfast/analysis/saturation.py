"""How soon an attack by small steps is as strong as it gets (paper 003, section 4, equation 13).

rho is the share of images that a network gets wrong, divided by the share that it gets wrong under the longest attack.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Series
from holdfast.attacks import Attack
from holdfast.attacks.presets import bim
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.evaluation import judge
from holdfast.objectives import is_correct
from holdfast.storage.describe import later
from holdfast.threats import Linf, Threat
from holdfast.types import Images, Labels

BATCH = 250


@dataclass(frozen=True)
class BallSaturation(Analysis):
    """rho under BIM(n, n): n steps that together fill the ball, for several n (paper 003, Figure 3)."""

    threat: Threat = Linf()
    counts: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30)
    """The n that are tried, rising; 0 is the clean image."""

    def __post_init__(self) -> None:
        """Refuse counts that do not rise."""
        super().__post_init__()
        _check_rising(self.counts)

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Attack anew for each n."""
        attacks = [bim(self.threat, n, n) if n else None for n in self.counts]
        return against_steps(self.counts, [error(model, data, attack) for attack in attacks])


@dataclass(frozen=True)
class PathSaturation(Analysis):
    """rho along the way of one attack, BIM(n1, n2), after each of several of its steps (paper 003, Figure 4)."""

    threat: Threat = Linf()
    n1: float = 10.0
    counts: tuple[int, ...] = tuple(range(31))
    """The steps after which it is looked at, rising; the last is n2, and 0 is the clean image."""
    shown: tuple[int, ...] = later(())
    """The counts that are drawn: all of them where none is named."""

    def __post_init__(self) -> None:
        """Refuse counts that do not rise, and shown ones that are not counted."""
        super().__post_init__()
        _check_rising(self.counts)
        unknown = sorted(set(self.shown) - set(self.counts))
        require(not unknown, f"shown = {self.shown}: {unknown[:1]} is not among the counts {self.counts}")

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Walk once, and look on the way."""
        wrong = torch.zeros(len(self.counts), dtype=torch.int64)
        for batch in data.batches(BATCH):
            x = batch.images
            for place, (before, after) in enumerate(pairwise((0, *self.counts))):
                if after > before:
                    # BIM draws nothing and keeps nothing, so stopping and going on is the same walk.
                    x = bim(self.threat, self.n1, after - before)(model, batch.images, batch.labels, x)
                wrong[place] += misread(model, x, batch.labels)
        return against_steps(self.counts, [int(count) / len(data) for count in wrong], self.shown or self.counts)


def error(model: nn.Module, data: ImageSet, attack: Attack | None) -> float:
    """Return the share of images that are misread under an attack, or as they are."""
    wrong = 0
    for batch in data.batches(BATCH):
        images = batch.images if attack is None else attack(model, batch.images, batch.labels)
        wrong += misread(model, images, batch.labels)
    return wrong / len(data)


def misread(model: nn.Module, images: Images, labels: Labels) -> int:
    """Return how many images the network gets wrong."""
    return int((~is_correct(judge(model, images), labels)).sum())


def rho(errors: Sequence[float]) -> tuple[float, ...]:
    """Return each error divided by the last one (equation 13); NaN where the last is 0."""
    return tuple(each / errors[-1] if errors[-1] else math.nan for each in errors)


def against_steps(counts: Sequence[int], errors: Sequence[float], shown: Sequence[int] | None = None) -> AnalysisResult:
    """Return rho against the counts of steps that are shown, and the error under the longest attack of all."""
    every = zip(counts, rho(errors), strict=True)
    drawn = [(float(count), ratio) for count, ratio in every if count in (shown or counts)]
    xs, ys = zip(*drawn, strict=True)
    return AnalysisResult({"": Series(xs, ys)}, {"error at the end": errors[-1]})


def _check_rising(counts: tuple[int, ...]) -> None:
    rising = len(counts) > 0 and counts[0] >= 0 and all(low < high for low, high in pairwise(counts))
    require(rising, f"counts = {counts}: numbers of steps that rise from 0 or more")
