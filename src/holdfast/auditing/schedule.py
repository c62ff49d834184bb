"""The moves of each effort, and the steps in which an audit makes them.

Which of the moves has its turn when, on which images, allocation.py finds on the network itself. What is fixed here is
what there is to choose from: short and long climbs, walks along the boundary, random search, and AutoAttack itself.
"""

import math
from dataclasses import dataclass

from holdfast.attacks import (
    APGD,
    APGDT,
    FAB,
    FABT,
    FMN,
    ODI,
    PDGD,
    PDPGD,
    MultiTargeted,
    OnePixel,
    RayS,
    SigmaZero,
    Square,
)
from holdfast.auditing.allocation import Allocation
from holdfast.auditing.autoattack import published
from holdfast.auditing.engine import Choose, InOrder, Move
from holdfast.errors import BadValue, UnknownName, require
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import L0, L1, L2, Linf, Threat

EFFORTS = ("fast", "standard", "thorough", "autoattack")
COSTS = {"apgd-ce": 200.0, "apgd-t": 1800.0, "fab-t": 2700.0, "square": 5000.0}
"""About what the attacks of AutoAttack cost, in passes an image."""
FAST, LEAST = 60.0, 20_000.0
"""After how many passes `fast` ends: so many an image, or so many in all where the images are few; later where much
more would break."""


def moves_of(effort: str, threat: Threat) -> dict[str, Move]:
    """Return the moves of an effort by name.

    Raises:
        UnknownName: there is no such effort.
        BadValue: the threat has no end.
    """
    if effort not in EFFORTS:
        raise UnknownName("effort", effort, EFFORTS)
    require(threat.eps < math.inf, f"{threat} has no end, so nothing can hold under it: give a finite eps", BadValue)
    if effort == "autoattack":
        require(
            not isinstance(threat, L0), "AutoAttack is not defined in L0: take fast, standard or thorough", BadValue
        )
        return trusted(threat)
    short = climbs(threat) | walks(threat) | squares(threat)
    return short if effort == "fast" else short | long(threat) | last(threat)


def climbs(threat: Threat) -> dict[str, Move]:
    """Return short climbs: on the margin, on the cross-entropy, and towards every class."""
    if isinstance(threat, Linf | L0):
        targets = Move(MultiTargeted(threat, steps=10), passes=190)
    else:  # in L2 and L1 APGD breaks what cosines do not
        targets = Move(APGDT(threat, steps=20), passes=360)
    return {
        "climb": Move(ODI(threat, steps=10), early=True, passes=24, first="all"),
        "climb ce": Move(ODI(threat, steps=10, objective=cross_entropy), early=True, passes=25, first="all"),
        "classes": Move(MultiTargeted(threat, steps=3), early=True, passes=63, first="few"),
        "targets": targets,
    }


def walks(threat: Threat) -> dict[str, Move]:
    """Return walks along the boundary: networks that hide their gradients from climbs in a ball show them there."""
    duels = {"duel": Move(PDPGD(threat, steps=500), passes=400, kind="boundary", first="few")}
    if isinstance(threat, L0):
        count = {"count": Move(SigmaZero(threat, steps=100), passes=150, kind="boundary", first="few")}
        return count | duels | {"walks": Move(FMN(threat, steps=100), passes=150, kind="boundary")}
    fab = {
        "walk": Move(FABT(threat, steps=60, classes=1), passes=160, kind="boundary", first="few"),
        "walks": Move(FAB(threat, steps=40, candidates=10), passes=400, kind="boundary"),
    }
    if isinstance(threat, L1):
        return duels | fab
    if isinstance(threat, L2):
        return fab | {"short duel": Move(PDGD(threat, steps=200), passes=390, kind="boundary", first="few")} | duels
    return fab


def squares(threat: Threat) -> dict[str, Move]:
    """Return a short random search; there is none in L0, where squares are too large."""
    if isinstance(threat, L0):
        return {}
    return {"squares": Move(Square(threat, queries=400, share=0.1), warm=True, passes=400, kind="search", first="few")}


def long(threat: Threat) -> dict[str, Move]:
    """Return long climbs, many starts and many queries.

    Of a network that names its class alone, squares learn nothing on the way to a break; rays do.
    """
    longer = {
        "targets 2": Move(MultiTargeted(threat, steps=30), passes=550),
        "long ce": Move(ODI(threat, steps=60, restarts=3, objective=cross_entropy), passes=370),
        "many climbs": Move(ODI(threat, steps=50, restarts=10), passes=1050),
    }
    if isinstance(threat, L0):
        return longer
    share = 0.1 if isinstance(threat, Linf) else 0.3
    starts = Move(APGD(threat, restarts=5, steps=50, objective=dlr), passes=500)
    search = Move(Square(threat, queries=1500, share=share), warm=True, passes=1500, kind="search")
    return longer | {"starts": starts, "squares 2": search}


def last(threat: Threat) -> dict[str, Move]:
    """Return what an audit goes through where its checks say that the attacks failed, in its order.

    The whole of AutoAttack, in L-inf after a search along rays; in L0, where it is not defined, the longest attacks.
    """
    if isinstance(threat, L0):
        return {
            "long count": Move(SigmaZero(threat, steps=1000), passes=1500, kind="boundary"),
            "long duel": Move(PDPGD(threat, steps=1500), passes=3000, kind="boundary"),
            "pixels": Move(OnePixel(threat, generations=50, population=100), passes=5000, kind="search"),
        }
    if not isinstance(threat, Linf):
        return trusted(threat)
    return {"rays": Move(RayS(threat, queries=2000), warm=True, passes=math.inf, kind="search"), **trusted(threat)}


def trusted(threat: Threat) -> dict[str, Move]:
    """Return the attacks of AutoAttack with their published budgets."""
    kinds = {"fab-t": "boundary", "square": "search"}
    return {
        name: Move(attack, passes=COSTS[name], kind=kinds.get(name, "climb"))
        for name, attack in published(threat).items()
    }


@dataclass(frozen=True)
class Step:
    """A part of an audit, after which it looks at the checks."""

    choose: Choose
    if_misled: bool = False
    """Whether it is made only where a check says that the attacks so far failed."""


def plan_of(effort: str, threat: Threat) -> tuple[Step, ...]:
    """Return the steps of an effort.

    Where checks say that the attacks failed, `standard` goes on with the last ones on all that stands: with all of
    AutoAttack where it is defined. `thorough` does so in any case, so that it can never report more.
    """
    if effort == "autoattack":
        return (Step(InOrder()),)
    if effort == "fast":
        return (Step(Allocation(FAST, LEAST)),)
    return (Step(Allocation()), Step(InOrder(tuple(last(threat))), if_misled=effort == "standard"))
