"""What every analysis is, a frozen value that is called, and what it returns: numbers to be drawn, or pictures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn

from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.fields import check_fields
from holdfast.storage.describe import later


@dataclass(frozen=True)
class Series:
    """One line or one cloud of points of a figure."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    """The lower edge of the band around a line; empty without a band."""
    high: tuple[float, ...] = ()
    joined: bool = True
    """Whether the points are joined to a line."""
    marked: bool = later(False)
    """Whether the others are there to be compared with it: it lies above them, in red."""

    def __post_init__(self) -> None:
        """Refuse coordinates that do not pair up."""
        paired = len(self.x) == len(self.y) and len(self.low) == len(self.high) and len(self.low) in (0, len(self.x))
        require(paired, f"a series of {len(self.x)} x, {len(self.y)} y, {len(self.low)} low, {len(self.high)} high")


@dataclass(frozen=True)
class Tile:
    """One small picture among others in rows and columns."""

    row: str
    column: str
    png: str
    """A PNG file in base64."""


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis found in one network: series by name or pictures, and single numbers by name."""

    series: Mapping[str, Series]
    numbers: Mapping[str, float] = field(default_factory=dict)
    pictures: tuple[Tile, ...] = later(())
    """They stand in the place of axes, so what has pictures has no series."""

    def __post_init__(self) -> None:
        """Refuse both series and pictures."""
        require(not (self.series and self.pictures), "a panel shows series or pictures: give one of the two")


@dataclass(frozen=True)
class AnyAnalysis:
    """What the two kinds of analysis share, which differ in the images that they see."""

    extras: ClassVar[tuple[str, ...]] = ()
    """The extras of the distribution that it needs."""

    def __post_init__(self) -> None:
        """Refuse fields of another type than the declared one."""
        check_fields(self)

    @property
    def names_classes(self) -> bool:
        """Whether its result holds the names of classes, which images do not tell."""
        return False

    def count(self, data: ImageSet) -> int:
        """Return how many of the test images it uses."""
        return len(data)


@dataclass(frozen=True)
class Analysis(AnyAnalysis, ABC):
    """A measurement on test images."""

    @abstractmethod
    def __call__(self, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        """Analyse the network on these test images; the same seed gives the same result."""


@dataclass(frozen=True)
class TrainingAnalysis(AnyAnalysis, ABC):
    """A measurement on test images and on those that the network was trained on."""

    @abstractmethod
    def __call__(self, model: nn.Module, data: ImageSet, train_set: ImageSet, seed: int) -> AnalysisResult:
        """Analyse the network; training images come as test images do, centered and never augmented."""
