"""Which tables and figures of a paper are wanted, at which scale, and what was measured for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from holdfast.devices import device_of
from holdfast.errors import TrainingDiverged, UnknownName, UsageError, require
from holdfast.experiments.attacked_images import Pictures, stored_picture
from holdfast.experiments.defended_row import classifier_of, made, seeded_row
from holdfast.experiments.figure import Figure, scaled_figure
from holdfast.experiments.images_of_run import images_of
from holdfast.experiments.log_lines import naming
from holdfast.experiments.paper import Paper
from holdfast.experiments.result import Result
from holdfast.experiments.run_figure import fill_figure
from holdfast.experiments.run_table import fill_table
from holdfast.experiments.scale import Scale
from holdfast.experiments.stored_results import keep
from holdfast.experiments.table import Table, scaled_table
from holdfast.experiments.workplace import Workplace
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.loop import Tell, silent


@dataclass(frozen=True)
class Wanted:
    """What of a paper is wanted."""

    table: tuple[str, ...] = ()
    """The numbers of tables to compute (default: all tables and figures)."""
    figure: tuple[str, ...] = ()
    """The numbers of figures to compute."""
    scale: str | None = None
    """smoke (made-up or embedded data, a minute or two), short, or full (the paper's own size) (default: the paper's
    first)."""
    seeds: tuple[int, ...] = ()
    """Use these seeds in place of the paper's own."""
    data: str | None = None
    """Use this data set in place of the paper's."""

    def of(self, paper: Paper) -> dict[str, Table | Figure]:
        """Return the tables and figures that are wanted, at their scale, by name.

        Raises:
            UnknownName: the paper has no such table, figure or scale.
            UsageError: the recipe leaves it out.
        """
        everything = not self.table and not self.figure
        tables = {
            f"table {n}": self._scaled(paper, n, paper.tables, "table")
            for n in (paper.tables if everything else self.table)
        }
        figures = {
            f"figure {n}": self._scaled(paper, n, paper.figures, "figure")
            for n in (paper.figures if everything else self.figure)
        }
        return {**tables, **figures}

    def scale_of(self, paper: Paper) -> str:
        """Return the name of the scale."""
        return self.scale or next(iter(paper.scales))

    def _scaled(self, paper: Paper, number: str, known: Any, kind: str) -> Table | Figure:
        why = {what.lower(): why for what, why in paper.left_out.items()}.get(f"{kind} {number}")
        require(why is None, f"{kind} {number} of {paper.name} is not here: {why}", UsageError)
        if number not in known:
            raise UnknownName(f"{kind} of {paper.name}", number, known)
        shown: Table | Figure = known[number]
        scales = {**paper.scales, **shown.scales}
        if self.scale_of(paper) not in scales:
            raise UnknownName("scale", self.scale_of(paper), scales)
        scale: Scale = scales[self.scale_of(paper)]
        if self.data is not None:
            scale = replace(scale, data=self.data)
        return (
            scaled_figure(shown, scale, self.seeds)
            if isinstance(shown, Figure)
            else scaled_table(shown, scale, self.seeds)
        )


@dataclass(frozen=True)
class Reproduction:
    """What was measured for a paper."""

    title: str
    results: tuple[Result, ...]
    pictures: tuple[Pictures, ...]
    """Attacked images of the rows of the first table, where the paper says which attack to show; a row whose training
    diverged has none."""
    left_out: Mapping[str, str]
    """What of the paper its recipe does not have, and why."""


def reproduce(paper: Paper, wanted: Wanted, place: Workplace, tell: Tell = silent) -> Reproduction:
    """Compute what is wanted of a paper; each result is kept in the workplace's folder as soon as it is there."""
    place = replace(place, device=str(device_of(place.device)))  # "auto" means one device for all of it
    scale = wanted.scale_of(paper)
    results: list[Result] = []
    asked = wanted.of(paper)
    for name, shown in asked.items():
        said = f"{paper.name} {name}"
        result: Result = (
            fill_figure(said, shown, scale, place, tell)
            if isinstance(shown, Figure)
            else fill_table(said, shown, scale, place, tell)
        )
        file = f"{paper.name}-{scale}-{name.replace(' ', '-')}-{fingerprint(shown)[:6]}"
        keep(result, place.folder, file)
        results.append(result)
    tables = [each for each in asked.values() if isinstance(each, Table)]
    pictures = _pictures(paper, tables[0], place, tell) if tables else ()
    return Reproduction(f"{paper.title} ({scale})", tuple(results), pictures, paper.left_out)


def _pictures(paper: Paper, table: Table, place: Workplace, tell: Tell) -> tuple[Pictures, ...]:
    if paper.pictures is None:
        return ()
    shown = []
    for name, row in table.rows.items():
        one = seeded_row(row, table.seeds[0])
        data = images_of(classifier_of(one), table.test_limit, place)
        line = naming(name, tell)
        try:
            network = made(one, data, place, line)
        except TrainingDiverged as error:
            line(0, 1, f"no pictures: {error}")
            continue
        shown.append(stored_picture(name, network, paper.pictures, data, place.folder / "pictures"))
    return tuple(shown)
