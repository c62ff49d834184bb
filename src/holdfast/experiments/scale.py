"""How a machine of a given size runs what a paper did: runs and attacks alike, so that methods stay comparable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from holdfast.attacks import Attack
from holdfast.data.level import levelled_like
from holdfast.errors import require, shown
from holdfast.methods import Method
from holdfast.training.dependencies import with_origins
from holdfast.training.optimizers import Optimizer
from holdfast.training.run import Run
from holdfast.training.schedules import Levels, Schedule, Steps


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
        if self.data is not None:
            said["data"] = levelled_like(run.data, self.data)
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


def check_seeds(title: str, seeds: Sequence[int]) -> None:
    """Refuse no seed at all, and a seed that is given twice: its values are equal, and their spread says nothing.

    Raises:
        BadValue: they are not each given once.
    """
    said = f"'{title}': seeds = {shown(tuple(seeds))}: give one or more, each once"
    require(0 < len(seeds) == len(set(seeds)), said)


def shortened(value: Any, steps: int | None) -> Any:
    """Return an attack, or whatever holds attacks, with at most `steps` steps that reach as far; runs stay."""
    if isinstance(value, tuple):
        return tuple(shortened(item, steps) for item in value)
    if steps is None or not is_dataclass(value) or isinstance(value, type | Run):
        return value
    inner = {f.name: shortened(getattr(value, f.name), steps) for f in fields(value)}
    # A method with both attacks by itself (CAT); steps alone are no attack's (SIMAdv).
    attacks = isinstance(value, Attack) or (isinstance(value, Method) and {"steps", "step_size"} <= inner.keys())
    if attacks and getattr(value, "steps", 0) > steps:
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
