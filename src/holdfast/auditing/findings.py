"""What checks find: a doubt, nothing, or that they do not apply or could not run."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from holdfast.passes import Spent


@dataclass(frozen=True)
class Doubt:
    """One reason not to believe a robust accuracy."""

    name: str
    figure: float
    """The number that raised it."""
    meaning: str
    """What it says, and what to do about it, in plain words."""


RANDOM_OUTPUT = "random output"
"""The name of the check of networks that answer at random."""
State = Literal["raised", "passed", "not applicable", "could not run"]


@dataclass(frozen=True)
class Finding:
    """What a check found: its state, the figure beside the criterion, and what that means."""

    state: State
    figure: float | None = None
    """What was measured; None where nothing was."""
    criterion: float | None = None
    """The figure above which the check raises a doubt."""
    words: str = ""
    """What a raised doubt means, why a check does not apply, or the line of the error that stopped it."""


@dataclass(frozen=True)
class Check(Finding):
    """A check of the registry, and what it found."""

    name: str = ""
    spent: Spent = Spent()
    """What it cost, every time that it was made; what other checks had found is free."""

    @property
    def passes(self) -> int:
        """Forwards and backwards of single images together."""
        return self.spent.forwards + self.spent.backwards


def above(criterion: float, figure: float, meaning: str) -> Finding:
    """Return a finding that raises a doubt where the figure is above the criterion, or is not a number."""
    return finding(not figure <= criterion, criterion, figure, meaning)


SEVERAL = 3
"""How many images are no chance, where a doubt is about a share of them."""


def above_for(count: int, total: int, criterion: float, figure: float, meaning: str) -> Finding:
    """Return a finding as above, of so many of the images: it raises no doubt for one or two, unless they are all."""
    enough = count >= min(SEVERAL, total) or math.isnan(figure)
    return finding(not figure <= criterion and enough, criterion, figure, meaning)


def finding(raised: bool, criterion: float, figure: float, meaning: str) -> Finding:
    """Return the finding of a criterion that has several parts; `figure` and `criterion` are those of one of them."""
    return Finding("raised", figure, criterion, meaning) if raised else Finding("passed", figure, criterion)


def not_applicable(why: str) -> Finding:
    """Return the finding of a check that says nothing about this network, and why."""
    return Finding("not applicable", words=why)


def suspicion(checks: tuple[Check, ...]) -> str:
    """Say in a few words what checks found; that nothing is suspicious only where every check ran."""
    if not checks:
        return "no check was made"
    count = Counter(check.state for check in checks)
    states: tuple[State, ...] = ("raised", "could not run", "passed", "not applicable")
    parts = ", ".join(f"{count[state]} {state}" for state in states if count[state])
    if count["passed"] == len(checks):
        return f"nothing is suspicious ({parts})"
    quiet = not count["raised"] and not count["could not run"]
    return f"no check raised a doubt ({parts})" if quiet else f"of {len(checks)} checks {parts}"
