"""What a detector of attacked images is: a score an image, and an alarm where the score is above a threshold.

A `Detector` is a frozen value; fitted to a classifier it is a `Score`, a torch module; with a threshold, an `Alarm`.

    score = FeatureSqueezing().fitted(classifier, clean)
    alarm = alarm_at(score, held_out, false_alarms=0.05)
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.attacks.attack import at_rest
from holdfast.errors import BadValue
from holdfast.fields import check_fields
from holdfast.metrics import threshold_at
from holdfast.types import Flags, Images, PerImage

BATCH = 250


class Score(nn.Module, ABC):
    """How suspicious images are: higher where they look attacked."""

    usual_threshold: float | None = None
    """The one that the paper prints; None where it prints none."""

    @abstractmethod
    def forward(self, images: Images) -> PerImage:
        """Return the score of each image."""

    def smooth(self, images: Images) -> PerImage:
        """Return the same scores with a gradient that leads somewhere, for an attacker who knows the detector."""
        return self(images)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Detector(ABC):
    """A way to tell attacked images from clean ones by what a classifier says of them."""

    def __post_init__(self) -> None:
        """Refuse fields of another type or range than the declared one."""
        check_fields(self)

    @abstractmethod
    def fitted(self, classifier: nn.Module, clean: Images, attacked: Tensor | None = None) -> Score:
        """Return the score that it gives images, after it has seen clean ones and, where it needs them, attacked ones.

        The classifier's weights are shared, not copied. Thresholds want other clean images than these.
        """


class Alarm(nn.Module):
    """A score with its threshold."""

    def __init__(self, score: Score, threshold: float) -> None:
        super().__init__()
        self.score = score
        self.threshold = threshold

    def forward(self, images: Images) -> Flags:
        """Say of each image whether its score is above the threshold."""
        flags: Tensor = self.score(images) > self.threshold
        return flags


def alarm_at(score: Score, held_out: Images, false_alarms: float = 0.05) -> Alarm:
    """Return the alarm that this share of clean images, which the detector was not fitted to, sets off."""
    return Alarm(score, threshold_at(scores(score, held_out), false_alarms))


def usual_alarm(score: Score) -> Alarm:
    """Return the alarm at the threshold that the detector's paper prints."""
    threshold = score.usual_threshold
    if threshold is None:
        raise BadValue(f"{type(score).__name__} has no threshold in print: give clean images to alarm_at")
    return Alarm(score, threshold)


@torch.no_grad()
def scores(score: Score, images: Images, batch: int = BATCH) -> PerImage:
    """Return the score of each of many images, on the network at rest."""
    with at_rest(score):
        return torch.cat([score(part) for part in images.split(batch)])
