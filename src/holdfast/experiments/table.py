"""A table or figure of a paper as a value: which runs, under which attacks, and what the paper printed.

A recipe says a table once, at the paper's own size. A scale says how a smaller machine runs the same table: every row
and every column shrinks alike, so that methods stay comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import chain
from typing import Any, Literal

from holdfast.attacks import Attack
from holdfast.errors import UnknownName, require
from holdfast.experiments.defended_row import Row, each_run
from holdfast.fields import Count, check_fields
from holdfast.storage.describe import later
from holdfast.threats import Threat
from holdfast.training.dependencies import with_origins
from holdfast.training.optimizers import Optimizer
from holdfast.training.run import Run
from holdfast.training.schedules import Levels, Schedule, Steps

Published = Mapping[str, Mapping[str, tuple[float, float]]]
"""row -> column -> (mean, standard deviation), in percent as the paper prints them, or in seconds."""


WORST = "worst case"
"""The last column of a table, where it is wanted."""


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
    scales: Mapping[str, "Scale"] = field(default_factory=dict)
    """Scales of this table that stand in for those of its paper."""
    correlated: tuple[tuple[str, str], ...] = later(())
    """Pairs of columns; a note says of each row how they go together over its seeds."""

    def __post_init__(self) -> None:
        """Refuse names of rows and columns that the table does not have.

        Raises:
            UnknownName: a printed number or the worst case names one.
            BadValue: a gap has not two columns.
        """
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


@dataclass(frozen=True)
class Scale:
    """How a machine of a given size runs a table; what is None stays as the table says."""

    epochs: int | None = None
    """A run measured in steps keeps them; `share` shortens it."""
    share: float | Mapping[str, float] | None = None
    """The share of each run's epochs or steps that it takes, and at which its schedule's milestones lie; or a share for
    each of the networks that are named here."""
    least_steps: int = 1
    """However small the share, a run measured in steps takes this many, or all its own where those are fewer."""
    limit: int | None = None
    test_limit: int | None = None
    seeds: tuple[int, ...] | None = None
    train_steps: int | None = None
    """At most this many steps of the attack inside a method; the steps grow so that the attack reaches as far."""
    test_steps: int | None = None
    """Likewise for the attacks of the columns."""
    batch: int | None = None
    model: str | Mapping[str, str] | None = None
    """Another network for all runs, or for those whose networks are named here."""
    data: str | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    pretrained: bool | None = None
    held_out: int | None = None
    effort: str | None = None
    """The effort of the audits in the columns."""

    def run(self, run: Run) -> Run:
        """Return the run at this scale, and the runs that it names likewise."""
        names = ("epochs", "limit", "batch", "model", "data", "optimizer", "schedule", "pretrained", "held_out")
        said: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if said.get("held_out") == 0:
            said["select"] = None
        if isinstance(self.model, Mapping):
            said["model"] = self.model.get(run.model, run.model)
        if run.steps is not None:
            said.pop("epochs", None)
        if run.start is not None:
            said.pop("pretrained", None)
        named: Run = with_origins(run, self.run)
        smaller = replace(named, method=shortened(named.method, self.train_steps), **said)
        share = self.share.get(run.model) if isinstance(self.share, Mapping) else self.share
        return smaller if share is None else _shared(smaller, share, self.least_steps)

    def column(self, column: Column) -> Column:
        """Return a column's attack, with the run that it is aimed at, at this scale."""
        if isinstance(column, Transfer):
            return Transfer(self.run(column.source), shortened(column.attack, self.test_steps))
        if isinstance(column, Audit):
            return replace(column, effort=self.effort or column.effort)
        smaller: Column = shortened(column, self.test_steps)
        return smaller

    def table(self, table: Table, seeds: tuple[int, ...] | None = None) -> Table:
        """Return the table at this scale, with these seeds if any are given."""
        return replace(
            table,
            rows={name: each_run(row, self.run) for name, row in table.rows.items()},
            columns={name: self.column(column) for name, column in table.columns.items()},
            seeds=seeds or self.seeds or table.seeds,
            test_limit=self.test_limit or table.test_limit,
        )


def shortened(value: Any, steps: int | None) -> Any:
    """Return an attack, or whatever holds attacks, with at most `steps` steps that reach as far; runs stay."""
    if isinstance(value, tuple):
        return tuple(shortened(item, steps) for item in value)
    if steps is None or not is_dataclass(value) or isinstance(value, type | Run):
        return value
    inner = {f.name: shortened(getattr(value, f.name), steps) for f in fields(value)}
    if isinstance(value, Attack) and getattr(value, "steps", 0) > steps:
        inner["steps"] = steps
        if inner.get("step_size") is not None:
            inner["step_size"] = inner["step_size"] * getattr(value, "steps", steps) / steps
    return replace(value, **inner)


def _shared(run: Run, share: float, least_steps: int) -> Run:
    """Return the run with this share of its length and of its milestones, at least one epoch or `least_steps` steps."""
    epochs = None if run.epochs is None else max(1, round(share * run.epochs))
    steps = None if run.steps is None else max(round(share * run.steps), min(least_steps, run.steps))
    length, new = run.epochs or run.steps or 1, epochs or steps or 1
    schedule = run.schedule
    if isinstance(schedule, Steps | Levels):
        at = (_milestone(milestone, share, length, new) for milestone in schedule.at)
        schedule = replace(schedule, at=tuple(round(milestone, 6) for milestone in at))
    return replace(run, epochs=epochs, steps=steps, schedule=schedule)


def _milestone(milestone: float, share: float, length: float, new: float) -> float:
    """Return the share of a milestone; one that a rounded run would not reach any more keeps its place in the run."""
    moved = share * milestone
    return milestone * new / length if moved >= new and milestone < length else moved
