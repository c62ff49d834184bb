"""What a detector is worth: against an attack that ignores it, and against one that must get past it too.

Carlini and Wagner ("Adversarial examples are not easily detected: bypassing ten detection methods", 2017) showed that
only the second says anything.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from holdfast.attacks import APGD, PGD
from holdfast.defences.detector import BATCH, Alarm, scores
from holdfast.defences.with_alarm import WithAlarm
from holdfast.evaluation import judge
from holdfast.metrics import auroc, detection_rate, share_of
from holdfast.objectives import is_correct, undetected
from holdfast.threats import per_image
from holdfast.types import Flags, Images, Labels, PerImage

FALSE_ALARMS = (0.01, 0.05)


@dataclass(frozen=True)
class Evasion:
    """How a classifier with an alarm stands against one attacker."""

    misclassified: float
    """The share of images that the attack takes from right to wrong; the next three are about these."""
    auroc: float
    detection: tuple[float, float]
    """The share detected at 1 % and at 5 % of false alarms on the clean images of the report."""
    alarms: float
    """The share that sets off the alarm at its own threshold."""
    robust_accuracy: float
    """The share of all images that are right or detected."""


@dataclass(frozen=True)
class DetectionReport:
    """A classifier with an alarm on clean images, and against attackers who do not, and who do, know the detector."""

    clean_accuracy: float
    """Of the classifier alone."""
    false_alarms: float
    accepted_accuracy: float
    """The share of clean images that are right and set off no alarm."""
    naive: Evasion
    adaptive: Evasion


def detection_report(
    classifier: nn.Module, alarm: Alarm, images: Images, labels: Labels, attack: APGD | PGD
) -> DetectionReport:
    """Attack the classifier alone, then classifier and detector together in as many steps, and measure both.

    The second attacker keeps what the first attack gives where it gets through already, so it is never weaker.
    """
    clean, right = scores(alarm.score, images), _right(classifier, images, labels)
    changes: dict[str, Any] = {"objective": undetected}
    first = attacked_in_batches(attack, classifier, images, labels)
    second = attacked_in_batches(replace(attack, **changes), WithAlarm(classifier, alarm), images, labels)
    through = ~_held(classifier, alarm, first, labels)
    best = torch.where(per_image(through), first, second)
    return DetectionReport(
        share_of(right),
        share_of(clean > alarm.threshold),
        share_of(right & (clean <= alarm.threshold)),
        *(_evasion(classifier, alarm, clean, right, each, labels) for each in (first, best)),
    )


def attacked_in_batches(attack: APGD | PGD, model: nn.Module, images: Images, labels: Labels) -> Images:
    """Return what an attack makes of many images."""
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    return torch.cat([attack(model, *part) for part in parts])


def _evasion(
    classifier: nn.Module, alarm: Alarm, clean: PerImage, right: Flags, attacked: Images, labels: Labels
) -> Evasion:
    """Measure one attacker's images."""
    seen, still = scores(alarm.score, attacked), _right(classifier, attacked, labels)
    broken = right & ~still
    found = seen[broken]
    return Evasion(
        share_of(broken),
        auroc(clean, found),
        (detection_rate(clean, found, FALSE_ALARMS[0]), detection_rate(clean, found, FALSE_ALARMS[1])),
        share_of(found > alarm.threshold),
        share_of(still | (seen > alarm.threshold)),
    )


def _held(classifier: nn.Module, alarm: Alarm, attacked: Images, labels: Labels) -> Flags:
    return _right(classifier, attacked, labels) | (scores(alarm.score, attacked) > alarm.threshold)


def _right(classifier: nn.Module, images: Images, labels: Labels) -> Flags:
    return torch.cat(
        [
            is_correct(judge(classifier, part), known)
            for part, known in zip(images.split(BATCH), labels.split(BATCH), strict=True)
        ]
    )
