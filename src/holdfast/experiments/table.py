"""A table or figure of a paper as a value: which runs, under which attacks, and what the paper printed.

A recipe says a table once, at the paper's own size. A scale says how a smaller machine runs the same table: every row
and every column shrinks alike, so that methods stay comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from holdfast.attacks import Attack
from holdfast.attacks.attack import check_untargeted
from holdfast.errors import UnknownName, require
from holdfast.experiments.columns import Audit, Likeness, Neighbours, Seconds, SeenAs, Transfer
from holdfast.experiments.defended_row import Row, each_run
from holdfast.experiments.scale import Scale, check_seeds, shortened
from holdfast.storage.describe import later

Published = Mapping[str, Mapping[str, tuple[float, float]]]
"""row -> column -> (mean, standard deviation), in percent as the paper prints them, or in seconds."""


WORST = "worst case"
"""The last column of a table, where it is wanted."""

Column = Attack | Transfer | SeenAs | Audit | Neighbours | Seconds | Likeness | None
"""What every row of a table meets; None leaves the images as they are."""


@dataclass(frozen=True)
class Table:
    """One table or figure: a row a network, a column an attack, from the row's own network or from another."""

    title: str
    rows: Mapping[str, Row]
    columns: Mapping[str, Column]
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each is added to the seeds that the runs have in the recipe."""
    top: int = 1
    """A prediction counts as right when the label is among this many classes."""
    worst: tuple[str, ...] = ()
    """Columns of one threat whose worst case an image is added as a last column."""
    published: Published = field(default_factory=dict)
    test_limit: int | None = None
    """Attack this many test images only."""
    shown_as: Literal["table", "curve", "sweep", "gap"] = "table"
    """A curve has numbers as column names and a line a row; a sweep numbers as row names and a line a column; a gap has
    two columns, which are joined in each row."""
    axis: str = ""
    """What the numbers count."""
    axis_scale: Literal["linear", "log"] = "linear"
    """A log axis begins with a linear stretch from 0 to its smallest number above."""
    varied: tuple[str, ...] = ()
    """Fields in which the runs of the rows differ beside their method; everything else is the same for all."""
    notes: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    """Scales of this table that stand in for those of its paper."""
    correlated: tuple[tuple[str, str], ...] = later(())
    """Pairs of columns; a note says of each row how they go together over its seeds."""

    def __post_init__(self) -> None:
        """Refuse names that the table does not have, a worst case of what is no accuracy, and seeds without a mean.

        Raises:
            UnknownName: a printed number or the worst case names one.
            UsageError: the attack of a column goes towards wanted classes, and there are none.
            BadValue: a gap has not two columns, the worst case names a column of times or likenesses, or the seeds are
                not each given once.
        """
        check_seeds(self.title, self.seeds)
        two = self.shown_as != "gap" or (len(self.columns) == 2 and not self.worst)
        require(two, f"a gap is between two columns; '{self.title}' has {', '.join(self.columns) or 'none'}")
        printed = {name for columns in self.published.values() for name in columns}
        with_worst = [*self.columns, *([WORST] if self.worst else [])]
        for kind, names, known in (
            ("column of a table's worst case", self.worst, self.columns),
            ("column of a table's correlations", chain(*self.correlated), self.columns),
            ("row of a table's printed numbers", self.published, self.rows),
            ("column of a table's printed numbers", printed, with_worst),
        ):
            for name in names:
                if name not in known:
                    raise UnknownName(kind, name, known)
        for name, column in self.columns.items():
            attack = column if isinstance(column, Attack) else getattr(column, "attack", None)
            check_untargeted(attack, f"column '{name}' of '{self.title}'")
        for name in self.worst:
            no_accuracy = f"the worst case of '{self.title}' is of accuracies: leave out column '{name}'"
            require(not isinstance(self.columns[name], Seconds | Likeness), no_accuracy)

    def check_counts(self, count: int) -> None:
        """Refuse an audit of fewer than `count` images, which the table has, in a worst case of each image.

        Raises:
            BadValue: the worst case names one.
        """
        for name in self.worst:
            column = self.columns[name]
            audits = (column.limit or count) if isinstance(column, Audit) else count
            seen = f"column '{name}' of the worst case audits {audits} of the {count} test images"
            require(audits >= count, f"{seen}: audit all, or leave it out")


def scaled_table(table: Table, scale: Scale, seeds: tuple[int, ...] = ()) -> Table:
    """Return the table as a machine of that scale runs it, with these seeds if any are given."""
    return replace(
        table,
        rows={name: each_run(row, scale.run) for name, row in table.rows.items()},
        columns={name: scaled_column(column, scale) for name, column in table.columns.items()},
        seeds=seeds or scale.seeds or table.seeds,
        test_limit=scale.test_limit or table.test_limit,
    )


def scaled_column(column: Column, scale: Scale) -> Column:
    """Return a column's attack, with the run that it is aimed at, at this scale."""
    if isinstance(column, Transfer):
        return Transfer(scale.run(column.source), shortened(column.attack, scale.test_steps))
    if isinstance(column, Audit):
        return replace(column, effort=scale.effort or column.effort)
    smaller: Column = shortened(column, scale.test_steps)
    return smaller
