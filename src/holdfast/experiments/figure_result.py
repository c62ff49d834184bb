"""A figure with the results of its analyses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from holdfast.analysis import AnalysisResult, AnyAnalysis, Series
from holdfast.experiments.defended_row import Row
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.result import Cell, Cells, Unit


@dataclass(frozen=True)
class FigureResult:
    """A figure's series and numbers, with everything needed to read and to repeat them."""

    name: str
    figure: Figure
    scale: str
    results: Mapping[str, Mapping[str, AnalysisResult]]
    """panel -> study -> what it saw."""
    count: int
    """Test images behind each."""
    conditions: Mapping[str, str]
    """Hardware, versions and precision."""

    shown_as: ClassVar[Literal["panels"]] = "panels"

    def unit(self, column: str) -> Unit:
        """Return what our values in a column are: numbers."""
        return ""

    @property
    def title(self) -> str:
        """What the figure is called."""
        return self.figure.title

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of the networks and of the analyses."""
        return (self.figure.seed,)

    @property
    def runs(self) -> Mapping[str, Row]:
        """The run that each study looks at."""
        return {name: study.run for name, study in self._studies()}

    @property
    def train_seconds(self) -> Mapping[str, tuple[float, ...]]:
        """Nothing: a figure compares no times."""
        return {}

    @property
    def ways(self) -> Mapping[str, AnyAnalysis]:
        """What each study looks by."""
        return {name: study.analysis for name, study in self._studies()}

    @property
    def worst(self) -> tuple[str, ...]:
        """Nothing: no column is a worst case."""
        return ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every x of a line, and the names of the numbers."""
        return tuple(dict.fromkeys(column for line in self.cells.values() for column in line))

    @property
    def cells(self) -> Cells:
        """A row for each line, with its height at each x, and one for the numbers of each study.

        Clouds of points say nothing as numbers; of them only the study's own numbers are there.
        """
        rows: dict[str, dict[str, Cell]] = {}
        for panel, studies in self.results.items():
            for name, series in self.labelled(panel):
                if series.joined:
                    heights = zip(series.x, series.y, strict=True)
                    rows[_words(panel, name)] = {f"{x:g}": Cell((y,)) for x, y in heights}
            for study, found in studies.items():
                row = rows.setdefault(_words(panel, study), {})
                row |= {name: Cell((value,)) for name, value in found.numbers.items()}
        return {name: row for name, row in rows.items() if row}

    @property
    def pictured(self) -> tuple[str, ...]:
        """The names of the rows and columns of pictures, study by study."""
        said = []
        for panel, studies in self.results.items():
            for study, tiles in ((name, found.pictures) for name, found in studies.items() if found.pictures):
                rows, columns = (dict.fromkeys(getattr(tile, name) for tile in tiles) for name in ("row", "column"))
                said.append(_words(panel, study, f"pictures of {'; '.join(rows)}: {'; '.join(columns)}"))
        return tuple(said)

    @property
    def how_to_read(self) -> tuple[str, ...]:
        """What columns and values are, and how many images and which seed are behind them."""
        axes = [f"columns: {self.figure.x}; values: {self.figure.y}"] if self.figure.x else []
        return (*axes, f"{self.count} test images, seed {self.figure.seed}")

    @property
    def notes(self) -> tuple[str, ...]:
        """The conditions, and the figure's own notes."""
        return (*(f"{name}: {words}" for name, words in self.conditions.items()), *self.figure.notes)

    def labelled(self, panel: str) -> Iterator[tuple[str, Series]]:
        """Yield what a series of a panel is called, and the series."""
        for study, found in self.results[panel].items():
            for name, series in found.series.items():
                yield ", ".join(word for word in (study, name) if word), series

    def _studies(self) -> Iterator[tuple[str, Study]]:
        for panel, studies in self.figure.panels.items():
            for name, study in studies.items():
                yield _words(panel, name), study


def _words(*words: str) -> str:
    return ": ".join(word for word in words if word)
