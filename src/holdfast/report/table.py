"""A table or figure of a paper as a value: which runs, under which attacks, and what the paper printed.

A recipe says a table once, at the paper's own size. A scale says how a smaller machine runs the same table: every row
and every column shrinks alike, so that methods stay comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from holdfast.attacks import Attack
from holdfast.optimization import Optimizer, Schedule
from holdfast.run import Run

Published = Mapping[str, Mapping[str, tuple[float, float]]]
"""row -> column -> (mean, standard deviation), in percent, as the paper prints them."""


@dataclass(frozen=True)
class Table:
    """One table or figure: a row a run, a column an attack."""

    title: str
    rows: Mapping[str, Run]
    columns: Mapping[str, Attack | None]
    seeds: tuple[int, ...] = (0, 1, 2)
    top: int = 1
    """A prediction counts as right when the label is among this many classes."""
    worst: tuple[str, ...] = ()
    """Columns of one threat whose worst case an image is added as a last column."""
    published: Published = field(default_factory=dict)
    test_limit: int | None = None
    """Attack this many test images only."""
    shown_as: Literal["table", "curve"] = "table"
    """A curve has numbers as column names and is drawn."""
    axis: str = ""
    """What a curve's columns count."""
    varied: tuple[str, ...] = ()
    """Fields in which the runs of the rows differ beside their method; everything else is the same for all."""
    notes: tuple[str, ...] = ()
    scales: Mapping[str, "Scale"] = field(default_factory=dict)
    """Scales of this table that stand in for those of its paper."""


@dataclass(frozen=True)
class Scale:
    """How a machine of a given size runs a table; what is None stays as the table says."""

    epochs: int | None = None
    share: float = 1.0
    """What multiplies the epochs of every row, to one at least, where `epochs` says nothing."""
    limit: int | None = None
    test_limit: int | None = None
    seeds: tuple[int, ...] | None = None
    train_steps: int | None = None
    """At most this many steps of the attack inside a method; the steps grow so that the attack reaches as far."""
    test_steps: int | None = None
    """Likewise for the attacks of the columns."""
    batch: int | None = None
    model: str | None = None
    data: str | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    pretrained: bool | None = None
    held_out: int | None = None

    def run(self, run: Run) -> Run:
        """Return the run at this scale."""
        names = ("epochs", "limit", "batch", "model", "data", "optimizer", "schedule", "pretrained", "held_out")
        said: dict[str, Any] = {"epochs": max(1, round(self.share * run.epochs))}
        said |= {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if said.get("held_out") == 0:
            said["select"] = None
        return replace(run, method=shortened(run.method, self.train_steps), **said)

    def table(self, table: Table, seeds: tuple[int, ...] | None = None) -> Table:
        """Return the table at this scale, with these seeds if any are given."""
        return replace(
            table,
            rows={name: self.run(run) for name, run in table.rows.items()},
            columns={name: shortened(attack, self.test_steps) for name, attack in table.columns.items()},
            seeds=seeds or self.seeds or table.seeds,
            test_limit=self.test_limit or table.test_limit,
        )


def shortened(value: Any, steps: int | None) -> Any:
    """Return an attack, or whatever holds attacks, with at most `steps` steps that reach as far."""
    if steps is None or not is_dataclass(value) or isinstance(value, type):
        return value
    inner = {f.name: shortened(getattr(value, f.name), steps) for f in fields(value)}
    if isinstance(value, Attack) and getattr(value, "steps", 0) > steps:
        inner["steps"] = steps
        if inner.get("step_size") is not None:
            inner["step_size"] = inner["step_size"] * getattr(value, "steps", steps) / steps
    return replace(value, **inner)
