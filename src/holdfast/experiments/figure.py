"""A figure that is no table of accuracies, as a value: which networks are looked at, and in which way."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from holdfast.analysis import Analysis, History, TrainingAnalysis
from holdfast.errors import require
from holdfast.experiments.defended_row import Row, each_run
from holdfast.experiments.scale import Scale, check_seeds, shortened
from holdfast.storage.describe import later


@dataclass(frozen=True)
class Study:
    """One network, looked at in one way."""

    run: Row
    analysis: Analysis | TrainingAnalysis | History


@dataclass(frozen=True)
class Figure:
    """Panels in a grid, row by row; what the studies of a panel see is drawn into the same axes."""

    title: str
    panels: Mapping[str, Mapping[str, Study]]
    """Title of a panel -> name of a study -> study; a line is called by its study, its own name, or both."""
    x: str = ""
    """What the axis says; points that are not joined have axes without numbers."""
    y: str = ""
    x_scale: Literal["linear", "log"] = "linear"
    y_range: tuple[float, float] | None = None
    seed: int = 0
    """Of the networks and of the analyses."""
    test_limit: int | None = None
    """Look at this many test images only."""
    notes: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    """Scales of this figure that stand in for those of its paper."""
    across: int = later(3)
    """Panels in a row."""

    def __post_init__(self) -> None:
        require(self.across >= 1, f"across = {self.across}: a row has 1 or more panels")

    @property
    def extras(self) -> set[str]:
        """The extras of the distribution that its analyses need."""
        return {
            extra for studies in self.panels.values() for study in studies.values() for extra in study.analysis.extras
        }


def scaled_figure(figure: Figure, scale: Scale, seeds: tuple[int, ...] = ()) -> Figure:
    """Return the figure as a machine of that scale runs it, from the first of these seeds if any are given."""
    panels = {
        title: {
            name: Study(each_run(study.run, scale.run), shortened(study.analysis, scale.test_steps))
            for name, study in studies.items()
        }
        for title, studies in figure.panels.items()
    }
    seeds = seeds or scale.seeds or (figure.seed,)
    check_seeds(figure.title, seeds)
    return replace(figure, panels=panels, seed=seeds[0], test_limit=scale.test_limit or figure.test_limit)
