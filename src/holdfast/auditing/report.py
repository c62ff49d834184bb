"""The result of an audit: the robust accuracy, its interval, its cost, and the doubts about it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from torch import Tensor

from holdfast.auditing.engine_state import CLEAN, STANDS
from holdfast.auditing.findings import RANDOM_OUTPUT, Check, Doubt, suspicion
from holdfast.auditing.points import IN_MEMORY, PointsOnDisk
from holdfast.auditing.view import View, table, too_much
from holdfast.metrics import interval, share_of
from holdfast.threats import Threat
from holdfast.types import Flags, Images, Index, PerImage


class Cost(NamedTuple):
    """Passes through the network for each image of the data set."""

    forwards: float
    backwards: float


class OnDisk(NamedTuple):
    """What points that do not fit into memory take."""

    images: int
    """How many have a point: those that an attack brought nearer to a break."""
    bytes: int

    def __str__(self) -> str:
        return f"{self.images:,} on disk, {self.bytes / 1e9:,.1f} GB: all images take more than {IN_MEMORY >> 20} MiB"


SETTLED, OF_FEW = 0.001, 0.005
"""An audit is settled where as many passes again are expected to break less than this share of the images; of fewer
than a thousand less than one image, and of fewer than two hundred less than the second share."""


@dataclass(frozen=True)
class Stage:
    """One attack of an audit: what it was shown, what it broke, what it spent."""

    name: str
    attacked: int
    broken: int
    forwards: int
    """Passes of single images, the verification included."""
    backwards: int
    seconds: float
    random_search: bool = False
    """Whether it asked for answers alone and followed no gradient."""

    @property
    def total(self) -> int:
        """Forwards and backwards together."""
        return self.forwards + self.backwards


@dataclass(frozen=True)
class Report:
    """The verdict on one network under one threat; the robust accuracy is an upper bound."""

    threat: Threat
    effort: str
    seed: int
    attacked: Images | PointsOnDisk
    """What `adversarial` is, or is made of."""
    broken_by: Index
    """The number of the stage that broke each image: 0 for one that is wrong when clean, -1 for one that none broke."""
    stages: tuple[Stage, ...]
    """The clean pass first, then the attacks in their order."""
    checks: tuple[Check, ...] = ()
    """Every check of the registry, and what it found."""
    crafted_on: str = ""
    """What the attacks saw, in words: the network itself, or what was done to a fast copy of it."""
    margin: PerImage | None = None
    """The highest margin that an attack reached on each image: how near the network came to being wrong."""
    best: Images | PointsOnDisk | None = None
    """Where it was reached: for an image that was broken its break, for another the point nearest to one. Points on
    disk are read by positions as those of a tensor are: `report.best[rows]`."""
    labels_fingerprint: str = ""
    """A name made of the labels that the images were audited with."""
    images_fingerprint: str = ""
    """A name made of every pixel of the images before any attack."""
    precision: str = "float32"
    """The number format in which the early attacks were made; every other attack and every verdict is float32."""
    further: float | None = None
    """How many images as many passes again are expected to break, at the rates seen so far; None: not estimated."""
    views: tuple[View, ...] = ()
    """How a defended network was seen, and what each view left; empty where there is no defence."""
    judged_by: str = ""
    """What answers for a network whose defences draw at random; empty where that is the network itself."""

    @cached_property
    def adversarial(self) -> Images:
        """The break of each image, verified in float32; the original image where none was found.

        Where the points are on disk it is made when it is first asked for: a tensor that is mapped to a temporary file.
        """
        return self.attacked if isinstance(self.attacked, Tensor) else self.attacked.of(self.broken_by > CLEAN)

    @property
    def on_disk(self) -> OnDisk | None:
        """What the points of the images take of the disk; None where they are in memory."""
        if not isinstance(self.best, PointsOnDisk):
            return None
        return OnDisk(int((self.best.slots >= 0).sum()), self.best.file.used())

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The reasons not to believe the robust accuracy: empty when no check raised one."""
        raised = (check for check in self.checks if check.state == "raised")
        return tuple(
            Doubt(check.name, math.nan if check.figure is None else check.figure, check.words) for check in raised
        )

    @property
    def answers_at_random(self) -> bool:
        """Whether the network was seen to answer the same image differently, so that one break may have been luck."""
        return any(check.name == RANDOM_OUTPUT and check.state == "raised" for check in self.checks)

    @property
    def meaning(self) -> str:
        """What kind of number the robust accuracy is: an upper bound, unless the network answers at random."""
        return "of one draw, no bound: the network answers at random" if self.answers_at_random else "an upper bound"

    @property
    def settled(self) -> bool:
        """Whether as many passes again are expected to break almost nothing: `settled_below`."""
        return self.further is None or self.further < settled_below(len(self.broken_by))

    @property
    def outlook(self) -> str:
        """What more effort would do, in words; nothing where that was not estimated."""
        if self.further is None:
            return ""
        return f"at this rate, doubling the effort would break {self.further:.1f} of {len(self.broken_by):,} images"

    @property
    def claim(self) -> str:
        """The robust accuracy in words."""
        share = f"{self.robust_accuracy:.2%}"
        if self.answers_at_random:
            return f"robust accuracy {share} {self.meaning}"
        return f"robust accuracy at most {share}{'' if self.settled else ' (not settled)'}"

    @property
    def grey_box(self) -> str:
        """How far what an attacker leaves who does not know the defence is above the worst; empty where near."""
        return too_much(self.views, self.robust_accuracy, len(self.broken_by))

    @property
    def stopped(self) -> tuple[Check, ...]:
        """The checks that could not run: what they look for may be there."""
        return tuple(check for check in self.checks if check.state == "could not run")

    @property
    def suspicion(self) -> str:
        """What the checks say together, in a few words."""
        return suspicion(self.checks)

    @property
    def broken(self) -> Flags:
        """Whether each image is wrong when clean, or was broken."""
        return self.broken_by != STANDS

    @property
    def clean_accuracy(self) -> float:
        """The share of images that are right without any attack."""
        return share_of(self.broken_by != CLEAN)

    @property
    def robust_accuracy(self) -> float:
        """The share of images that no attack broke: an upper bound."""
        return share_of(self.broken_by == STANDS)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the robust accuracy that the number of images leaves."""
        return interval(self.robust_accuracy, len(self.broken_by))

    @property
    def passes(self) -> Cost:
        """Forward and backward passes for each image."""
        count = len(self.broken_by)
        return Cost(*(sum(getattr(stage, kind) for stage in self.stages) / count for kind in ("forwards", "backwards")))

    @property
    def seconds(self) -> float:
        """The time that it took, interruptions left out."""
        return sum(stage.seconds for stage in self.stages)

    def accuracy_after(self, stage: int) -> float:
        """Return the share of images unbroken after a stage, counted from 0, the clean pass."""
        return share_of((self.broken_by == STANDS) | (self.broken_by > stage))

    def __str__(self) -> str:
        """Return the verdict as a table with a line for each stage."""
        (low, high), count = self.interval, len(self.broken_by)
        heads = ("attacked", "broken", "accuracy", "forwards", "backwards", "seconds")
        wide = max(12, *(len(stage.name) for stage in self.stages))
        lines = ["{:<{}} {:>9} {:>7} {:>9} {:>10} {:>10} {:>8}".format("", wide, *heads)]
        for number, stage in enumerate(self.stages):
            accuracy = 100 * self.accuracy_after(number)
            lines.append(
                f"{stage.name:<{wide}} {stage.attacked:>9} {stage.broken:>7} {accuracy:>8.2f}% "
                f"{stage.forwards:>10} {stage.backwards:>10} {stage.seconds:>8.1f}"
            )
        lines += [
            f"{self.claim} under {self.threat} "
            f"(95 % interval {low:.2%} to {high:.2%}, {count} images, seed {self.seed})",
            f"passes for each image: {self.passes.forwards:.1f} forwards, {self.passes.backwards:.1f} backwards",
            *([self.outlook] if self.outlook else []),
            *([f"crafted on {self.crafted_on}"] if self.crafted_on else []),
            *([f"judged by {self.judged_by}"] if self.judged_by else []),
            *([f"points of images: {self.on_disk}"] if self.on_disk else []),
            *(table(self.views, self.robust_accuracy, count, sum(self.passes)) if self.views else []),
            *([self.grey_box] if self.grey_box else []),
            *(f"doubt: {doubt.name} ({doubt.figure:.4g}): {doubt.meaning}" for doubt in self.doubts),
            *(f"check that could not run: {check.name}: {check.words}" for check in self.stopped),
            *([f"checks: {self.suspicion}"] if self.checks else []),
        ]
        return "\n".join(lines)


def settled_below(count: int) -> float:
    """Return the number of images that as many passes again must not be expected to break in a settled audit."""
    return max(SETTLED * count, min(1.0, OF_FEW * count))
