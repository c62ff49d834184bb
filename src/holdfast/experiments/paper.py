"""All that is reproduced of one paper, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.attacks import Attack
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
