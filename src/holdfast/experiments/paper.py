"""All that is reproduced of one paper, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.attacks import Attack
from holdfast.errors import require
from holdfast.experiments.figure import Figure
from holdfast.experiments.scale import Scale
from holdfast.experiments.table import Table


@dataclass(frozen=True)
class Paper:
    """All that is reproduced of one paper, and the scales it can be run at."""

    name: str
    title: str
    scales: Mapping[str, Scale]
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Table | Figure] = field(default_factory=dict)
    """Accuracies as curves, and figures of other kinds."""
    pictures: Attack | None = None
    """The attack whose images the report shows."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What of the paper is not here ("Figure 2", or a row of a table), and why, in a few words."""

    def __post_init__(self) -> None:
        """Refuse to leave out a table or a figure that is there."""
        there = {f"table {name}" for name in self.tables} | {f"figure {name}" for name in self.figures}
        for name in self.left_out:
            require(name.lower() not in there, f"{name} of {self.name} is left out and there")
