"""What a one-step attack does to a network, along the whole line of its step (paper 002, section 4 and appendix A).

The step is found once, at 1/255, and then made longer or turned round, as in the released code: on images in bytes a
pixel either takes the whole of that step or lies at the end of its range and stays there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from holdfast.analysis.analysis import Analysis, AnalysisResult, Series
from holdfast.attacks import FGSM, Attack, RandomSign, StepLL
from holdfast.attacks.attack import at_rest, input_gradient, with_seed
from holdfast.attacks.watched import Watched
from holdfast.data import ImageSet
from holdfast.data.order import permutation
from holdfast.errors import require
from holdfast.evaluation import judge
from holdfast.fields import Count, NonNegative
from holdfast.metrics import share_of
from holdfast.objectives import cross_entropy, is_correct
from holdfast.threats import Linf
from holdfast.types import Images, Labels, PerImage

UNIT = Linf(1 / 255)
FALSE, TRUE = "false classes", "true class"


def grid(*parts: tuple[float, float, float]) -> tuple[float, ...]:
    """Return numbers from one to another, both included, in steps; parts may share their ends."""
    found = {
        round(first + place * step, 6)
        for first, last, step in parts
        for place in range(round((last - first) / step) + 1)
    }
    return tuple(sorted(found))


@dataclass(frozen=True, kw_only=True)
class AlongAStep(Analysis):
    """A look at some images at every point of a line, drawn as means with bands."""

    eps: tuple[float, ...] = (0.0,)
    """Of 255, rising; below zero the step is turned round."""
    band: NonNegative = 1.0
    """Standard deviations over the images."""
    images: Count = 128
    clipped: bool = True
    """Keep pixels in [0, 1], as an attacker must; the released code does not."""

    def __post_init__(self) -> None:
        """Refuse eps that do not rise."""
        super().__post_init__()
        rising = bool(self.eps) and all(low < high for low, high in pairwise(self.eps))
        require(rising, f"{type(self).__name__}: eps = {self.eps}: numbers that rise")

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it looks at."""
        return min(self.images, len(data))


@dataclass(frozen=True, kw_only=True)
class SoftmaxArguments(AlongAStep):
    """The true class's logit and the mean of the others, along a one-step attack and against it (Figures 4 and 6)."""

    eps: tuple[float, ...] = grid((-60, -30, 5), (-28, -10, 2), (-9, 10, 1), (12, 30, 2), (35, 60, 5))
    """The released grid, less its crowd around zero. Of the band the paper says 1, its code draws a half."""
    attack: Attack = StepLL(UNIT)
    """A one-step attack of eps 1/255, whose step is scaled."""

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Ask for the logits at each point of the line."""
        images, labels = some(data, self.images, seed)
        step = step_of(self.attack, model, images, labels, seed)
        places = [judge(model, moved(images, step, eps, self.clipped)) for eps in self.eps]
        true = [logits.gather(1, labels[:, None])[:, 0] for logits in places]
        others = [(logits.sum(1) - own) / (logits.shape[1] - 1) for logits, own in zip(places, true, strict=True)]
        lines = {TRUE: line(self.eps, true, self.band), FALSE: line(self.eps, others, self.band)}
        right = [share_of(is_correct(logits, labels)) for logits in places]
        return AnalysisResult(lines, {"lowest accuracy on the line": min(right)})


@dataclass(frozen=True, kw_only=True)
class GradientCorrelation(AlongAStep):
    """Pearson's correlation of the gradients at the clean image and along one-step attacks (Figure 5).

    All gradients are of the true label's cross-entropy, towards the pixels, with the network at rest.
    """

    eps: tuple[float, ...] = (0.01, *grid((0.02, 0.98, 0.02), (1.0, 10.0, 0.2)))
    """The released grid."""
    band: NonNegative = 0.5

    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Find the gradients at each point of the three lines, and compare."""
        images, labels = some(data, self.images, seed)
        attacks = {"step_ll": StepLL(UNIT), "step_FGSM": FGSM(UNIT), "random sign": RandomSign(UNIT)}
        steps = {name: step_of(attack, model, images, labels, seed) for name, attack in attacks.items()}
        clean = gradients(model, images, labels)
        found: dict[str, list[PerImage]] = {}
        for eps in self.eps:
            there = {
                name: gradients(model, moved(images, step, eps, self.clipped), labels) for name, step in steps.items()
            }
            for name, each in there.items():
                found.setdefault(f"clean, {name}", []).append(correlation(clean, each))
            found.setdefault("step_ll, step_FGSM", []).append(correlation(there["step_ll"], there["step_FGSM"]))
        lines = {name: line(self.eps, each, self.band) for name, each in found.items()}
        return AnalysisResult(lines, {"lowest, clean and step_FGSM": min(lines["clean, step_FGSM"].y)})


def some(data: ImageSet, count: int, seed: int) -> tuple[Images, Labels]:
    """Return some random images of the set, the same for the same seed."""
    chosen = permutation(len(data), "looked at", seed)[:count]
    return data.take(chosen), data.labels[chosen.to(data.device)]


def step_of(attack: Attack, model: nn.Module, images: Images, labels: Labels, seed: int) -> Tensor:
    """Return the attack's step, per 255th of eps."""
    return (with_seed(attack, seed)(model, images, labels) - images) / (255 * attack.threat.eps)


def moved(images: Images, step: Tensor, eps: float, clipped: bool) -> Tensor:
    """Return the images moved by eps steps."""
    there = images + eps * step
    return there.clamp(0, 1) if clipped else there


def gradients(model: nn.Module, images: Images, labels: Labels) -> Tensor:
    """Return the gradient of the cross-entropy towards each image, with the network at rest."""
    with at_rest(model), torch.enable_grad():
        return input_gradient(Watched(model, labels), images, labels, cross_entropy)


def correlation(one: Tensor, other: Tensor) -> PerImage:
    """Return Pearson's correlation of two values an element, one number an image; 0 where one does not vary."""
    one, other = (each.flatten(1).double() - each.flatten(1).double().mean(1, keepdim=True) for each in (one, other))
    # Gradients of images that are read with certainty are tiny: each is brought to unit length before they meet.
    one, other = (each / each.norm(dim=1, keepdim=True).clamp_min(1e-300) for each in (one, other))
    return (one * other).sum(1).float()


def line(x: Sequence[float], heights: Sequence[PerImage], band: float) -> Series:
    """Return the mean over the images at each x, with a band of so many standard deviations."""
    rows = torch.stack(list(heights)).double()
    middle = rows.mean(1)
    spread = band * rows.std(1) if rows.shape[1] > 1 else torch.zeros_like(middle)
    low, high = (tuple((middle + side * spread).tolist()) for side in (-1, 1))
    return Series(tuple(map(float, x)), tuple(middle.tolist()), low, high)
