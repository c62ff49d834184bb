"""What the columns of a table can be, beside attacks on each row's own network."""

from dataclasses import dataclass
from typing import Literal

from holdfast.attacks import Attack
from holdfast.fields import Count, check_fields
from holdfast.threats import Threat
from holdfast.training.run import Run


@dataclass(frozen=True)
class Transfer:
    """A column of images that are made against another run's network and shown to every row's: a black box."""

    source: Run
    attack: Attack


@dataclass(frozen=True)
class SeenAs:
    """A column of images that are made against each row's own network as an attacker sees it, for defended rows.

    The view is one of `holdfast.defences.views`: "bare classifier" is the grey box, "plain gradients" what an attack
    does by itself. A row that has no such view is seen with plain gradients.
    """

    view: Literal["bare classifier", "plain gradients", "straight through", "averaged"]
    attack: Attack

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Audit:
    """A column that holds the strongest honest statement about each network: what `holdfast.audit` cannot break."""

    threat: Threat
    effort: str = "standard"
    limit: int | None = None
    """Audit this many of the test images only, the first ones."""


@dataclass(frozen=True)
class Neighbours:
    """A column in which nearest training images answer, found in a layer's space, in the place of the last layer."""

    k: Count = 50
    attack: Attack | None = None
    """Made against the network itself; None leaves the images as they are."""
    layer: str = "penultimate"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Seconds:
    """A column of how long the run of each row trained, in the place of an accuracy."""

    per: Literal["epoch", "run"] = "epoch"
    """An epoch is a pass over the training images, also of a run that is measured in steps."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Likeness:
    """A column of how near to the clean images a row's defences bring images, in the place of an accuracy.

    PSNR is in dB, SSIM at most 1. A row without defences says how near the images are by themselves.
    """

    measure: Literal["PSNR", "SSIM"]
    attack: Attack | None = None
    """Made against the bare classifier; None purifies clean images."""

    def __post_init__(self) -> None:
        check_fields(self)
