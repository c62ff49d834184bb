"""The moves of each effort, and the steps in which an audit makes them.

What there is to choose from in each norm is in schedule_norms.py. Which of it has its turn when, on which images,
allocation.py finds on the network itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.attacks import APGD
from holdfast.auditing.allocation import Allocation
from holdfast.auditing.engine import Choose, InOrder, Move
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.ledger import Turn
from holdfast.auditing.schedule_norms import schedule_of, trusted
from holdfast.errors import BadValue, UnknownName, require
from holdfast.threats import Threat

EFFORTS = ("fast", "standard", "thorough", "autoattack")
FAST, LEAST = 60.0, 20_000.0
"""After how many passes `fast` ends: so many an image, or so many in all where the images are few; later where much
more would break."""


def moves_of(effort: str, threat: Threat) -> dict[str, Move]:
    """Return the moves of an effort by name.

    Raises:
        UnknownName: there is no such effort.
        BadValue: eps is infinite, or no attacks are known for its norm.
    """
    if effort not in EFFORTS:
        raise UnknownName("effort", effort, EFFORTS)
    require(threat.eps < math.inf, f"an audit needs a finite eps, got {threat}", BadValue)
    if effort == "autoattack":
        defined = isinstance(threat, APGD.threats)
        norm = type(threat).__name__
        require(defined, f"AutoAttack is not defined in {norm}: take fast, standard or thorough", BadValue)
        return trusted(threat)
    schedule = schedule_of(threat)
    return schedule.short if effort == "fast" else schedule.short | schedule.long | schedule.last


@dataclass(frozen=True)
class InTurn:
    """Chooses as the first does, and as the second once the first has ended."""

    first: Choose
    second: Choose

    def __call__(self, moves: Mapping[str, Move], progress: Progress) -> Turn | None:
        """Return the next turn."""
        return self.first(moves, progress) or self.second(moves, progress)


@dataclass(frozen=True)
class Step:
    """A part of an audit, after which it looks at the checks."""

    choose: Choose
    if_misled: bool = False
    """Whether it is made only where a check says that the attacks so far failed."""


def plan_of(effort: str, threat: Threat, passes: int = 1, longer: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Return the steps of an effort, on a network each answer of which takes so many passes.

    `longer` are moves with which `fast` ends, on all that stands.

    Where checks say that the attacks failed, `standard` goes on with the last ones on all that stands: with all of
    AutoAttack where it is defined. `thorough` does so in any case, so that it can never report more.
    """
    if effort == "autoattack":
        return (Step(InOrder()),)
    if effort == "fast":
        search = Allocation(FAST * passes, LEAST * passes)
        return (Step(InTurn(search, InOrder(longer)) if longer else search),)
    return (Step(Allocation()), Step(InOrder(tuple(schedule_of(threat).last)), if_misled=effort == "standard"))
