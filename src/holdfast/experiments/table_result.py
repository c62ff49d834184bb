"""A table with our numbers in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from holdfast import metrics
from holdfast.experiments.columns import Audit, Likeness, Neighbours, Seconds, Transfer
from holdfast.experiments.defended_row import Row
from holdfast.experiments.result import Cell, Cells, Unit
from holdfast.experiments.table import WORST, Column, Table


@dataclass(frozen=True)
class TableResult:
    """A table's measured values, with everything needed to read and to repeat them."""

    name: str
    table: Table
    scale: str
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    """row -> column -> one accuracy a seed, in [0, 1], or a time in seconds."""
    count: int
    """Test images behind each value."""
    train_seconds: Mapping[str, tuple[float, ...]]
    conditions: Mapping[str, str]
    """Hardware, versions and precision."""
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """row -> what its audits doubt, by name."""

    @property
    def title(self) -> str:
        """What the table is called."""
        return self.table.title

    @property
    def shown_as(self) -> Literal["table", "curve", "sweep", "gap"]:
        """How it is drawn."""
        return self.table.shown_as

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds behind each value."""
        return self.table.seeds

    @property
    def runs(self) -> Mapping[str, Row]:
        """The run of each row, with its defences where it has any."""
        return self.table.rows

    @property
    def ways(self) -> Mapping[str, Column]:
        """What each row met."""
        return self.table.columns

    @property
    def worst(self) -> tuple[str, ...]:
        """The columns whose worst case an image is the last column."""
        return self.table.worst

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, and the worst case of some."""
        return (*self.table.columns, *([WORST] if self.table.worst else []))

    @property
    def accuracies(self) -> tuple[str, ...]:
        """The columns without those that are times."""
        return tuple(column for column in self.columns if self.unit(column) == "%")

    def unit(self, column: str) -> Unit:
        """Return what our values in a column are."""
        of = self.table.columns.get(column)
        return "s" if isinstance(of, Seconds) else "" if isinstance(of, Likeness) else "%"

    def counted(self, column: str) -> int:
        """Return how many test images are behind each value of a column: an audit may see fewer."""
        way = self.table.columns.get(column)
        return min(way.limit or self.count, self.count) if isinstance(way, Audit) else self.count

    @property
    def cells(self) -> Cells:
        """Our values beside the paper's."""
        printed = self.table.published
        return {
            row: {column: Cell(self.values[row][column], printed.get(row, {}).get(column)) for column in self.columns}
            for row in self.table.rows
        }

    @property
    def pictured(self) -> tuple[str, ...]:
        """Nothing: a table has no pictures."""
        return ()

    @property
    def how_to_read(self) -> tuple[str, ...]:
        """What the accuracies are, and how sure each is; what the times are."""
        seeds = f"mean (std) over {len(self.seeds)} seeds" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        times = [
            f"{name}: seconds of training a{'n epoch' if column.per == 'epoch' else ' run'}, on a machine that other "
            "work may share: they compare only within one run of this table"
            for name, column in self.table.columns.items()
            if isinstance(column, Seconds)
        ]
        return (*(self._sure(seeds) if self.accuracies else [seeds]), *times)

    def _sure(self, seeds: str) -> tuple[str, str]:
        """Say what the accuracies are, and how sure each is."""
        counted = f"Top-{self.table.top} accuracy in %, an upper bound; {self.count} test images, {seeds}"
        fewer = {column: self.counted(column) for column in self.accuracies}
        others = [f", {name} +-{_half(count):.1f}" for name, count in fewer.items() if count != self.count]
        half = f"at most +-{_half(self.count):.1f} points{''.join(others)}"
        return counted, f"95 % interval of one value from the number of images alone: {half}"

    @property
    def notes(self) -> tuple[str, ...]:
        """The conditions, the audits and what they doubt, how long the rows trained, and the table's own notes."""
        said = [f"{name}: {words}" for name, words in self.conditions.items()]
        found = (*self._neighbours(), *self._audits(), *self._lowest(), *self._correlations(), *self._times())
        return (*said, *found, *self.table.notes)

    def _neighbours(self) -> list[str]:
        """Say who answers in a column of neighbours."""
        return [
            f"{name}: each of the {column.k} nearest training images has a vote, by cosine in the space of layer "
            f"'{column.layer}', in the place of the network's own answer"
            for name, column in self.table.columns.items()
            if isinstance(column, Neighbours)
        ]

    def _audits(self) -> list[str]:
        """Say what an audit in the columns is, and what it doubts."""
        audits = {name: column for name, column in self.table.columns.items() if isinstance(column, Audit)}
        said = [
            f'{name}: robust accuracy from holdfast.audit (effort "{column.effort}") '
            f"on the first {self.counted(name)} test images"
            for name, column in audits.items()
        ]
        doubts = [f"{row} ({', '.join(names)})" for row, names in self.doubts.items() if names]
        nothing = [] if doubts or not audits else ["no audit raised a doubt"]
        return [*said, *nothing, *([f"doubts of the audits: {'; '.join(doubts)}"] if doubts else [])]

    def _lowest(self) -> list[str]:
        """Say which black box leaves least of each row, where the worst case an image is of black boxes alone."""
        boxes = {name: of for name in self.worst if isinstance(of := self.table.columns[name], Transfer)}
        if not boxes or len(boxes) < len(self.worst):
            return []
        said = []
        for row, run in self.table.rows.items():
            others = [name for name, column in boxes.items() if column.source != run]
            ours = {name: metrics.mean_std(self.values[row][name])[0] for name in others}
            printed = {name: cell[0] for name, cell in self.table.published.get(row, {}).items() if name in others}
            known = {name: value for name, value in ours.items() if not math.isnan(value)}
            if known:
                least = min(known, key=known.__getitem__)
                theirs = f" | {min(printed.values()):.1f} ({min(printed, key=printed.__getitem__)})" if printed else ""
                said.append(f"{row} {100 * known[least]:.1f} ({least}){theirs}")
        return [f"lowest column of each row, its own network left out: {'; '.join(said)}"] if said else []

    def _correlations(self) -> list[str]:
        """Say how pairs of columns go together over the seeds of each row."""
        return [
            f"{row}, {one} and {other}: {_together(self.values[row][one], self.values[row][other])}"
            for one, other in self.table.correlated
            for row in self.table.rows
        ]

    def _times(self) -> list[str]:
        """Say how long each row trained, and how that compares with the shortest."""
        means = {row: metrics.mean_std(seconds)[0] for row, seconds in self.train_seconds.items() if seconds}
        if len(means) < 2 or min(means.values()) <= 0:
            return []
        shortest = min(means.values())
        told = [f"{row} {seconds:.0f} s ({seconds / shortest:.2f})" for row, seconds in means.items()]
        return [f"mean training time, and its ratio to the shortest: {', '.join(told)}"]


def _half(count: int) -> float:
    """Return half the 95 % interval of a value in the middle, in points, from so many images."""
    low, high = metrics.interval(0.5, count)
    return 50 * (high - low)


def _together(one: Sequence[float], other: Sequence[float]) -> str:
    """Return how two columns go together over the networks that have a value in both."""
    pairs = [pair for pair in zip(one, other, strict=True) if not any(map(math.isnan, pair))]
    firsts, seconds = ([pair[place] for pair in pairs] for place in (0, 1))
    r = metrics.pearson(firsts, seconds)
    if math.isnan(r):
        return f"no correlation of {len(pairs)} networks"
    low, high = metrics.pearson_interval(r, len(pairs))
    ranks = metrics.spearman(firsts, seconds)
    return f"over {len(pairs)} networks Pearson's {r:.2f} ({low:.2f} to {high:.2f}), Spearman's {ranks:.2f}"
