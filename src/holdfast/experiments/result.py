"""What was measured for a table or a figure, in the one form that text, drawings and pages are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from holdfast.experiments.defended_row import Row


@dataclass(frozen=True)
class Cell:
    """What was measured in one row and column."""

    ours: tuple[float, ...]
    """A value a seed."""
    theirs: tuple[float, float] | None = None
    """The paper's (mean, standard deviation) in percent or in the unit of our values, where it printed any."""


Unit = Literal["%", "s", ""]
"""A share in [0, 1] to be shown in percent, seconds, or a number."""
Cells = Mapping[str, Mapping[str, Cell]]
"""row -> column -> cell; a column that says nothing of a row is left out there."""


@runtime_checkable
class Result(Protocol):
    """A table or a figure with what was measured, and with everything needed to read and to repeat it."""

    @property
    def name(self) -> str:
        """The paper, and which table or figure of it."""

    @property
    def scale(self) -> str:
        """The name of the scale that it was measured at."""

    @property
    def title(self) -> str:
        """What stands above it."""

    @property
    def shown_as(self) -> Literal["table", "curve", "sweep", "gap", "panels"]:
        """How it is drawn."""

    def unit(self, column: str) -> Unit:
        """Return what our values in a column are."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in their order."""

    @property
    def cells(self) -> Cells:
        """What was measured."""

    @property
    def pictured(self) -> tuple[str, ...]:
        """What pictures of it show, in words; nothing where it has none."""

    @property
    def count(self) -> int:
        """Test images behind each value."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds behind each value."""

    @property
    def how_to_read(self) -> tuple[str, ...]:
        """What the values are, in words."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be known, in words."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """Hardware, versions and precision."""

    @property
    def runs(self) -> Mapping[str, Row]:
        """The run behind each row or study, with its defences where it has any."""

    @property
    def train_seconds(self) -> Mapping[str, tuple[float, ...]]:
        """How long the runs trained, where that is told: a value a seed."""

    @property
    def ways(self) -> Mapping[str, object]:
        """What each network met: an attack, an audit, an analysis, or None for clean images."""

    @property
    def worst(self) -> tuple[str, ...]:
        """The columns whose worst case an image is a column, too."""
