"""What there is to choose from in each norm: climbs, walks along the boundary, random search, and AutoAttack itself.

To audit in another norm, write its Schedule and add it to SCHEDULES.
"""

import math
from collections.abc import Callable, Mapping
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
from holdfast.auditing.autoattack import published
from holdfast.auditing.engine import Move
from holdfast.errors import BadValue
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat

COSTS = {"apgd-ce": 200.0, "apgd-t": 1800.0, "fab-t": 2700.0, "square": 5000.0}
"""About what the attacks of AutoAttack cost, in passes an image."""


@dataclass(frozen=True)
class Schedule:
    """The moves that there are in a norm."""

    short: dict[str, Move]
    long: dict[str, Move]
    last: dict[str, Move]
    """What an audit goes through where its checks say that the attacks failed, in its order: the whole of AutoAttack,
    in L-inf after a search along rays; in L0, where it is not defined, the longest attacks."""


def in_linf(threat: Threat) -> Schedule:
    """Return the moves in L-inf."""
    rays = {"rays": Move(RayS(threat, queries=2000), warm=True, passes=math.inf, kind="search")}
    return Schedule(
        climbs(threat) | towards_classes(threat) | walks(threat) | squares(threat),
        long(threat) | starts_and_squares(threat, share=0.1),
        rays | trusted(threat),
    )


def in_l2(threat: Threat) -> Schedule:
    """Return the moves in L2."""
    short_duel = {"short duel": Move(PDGD(threat, steps=200), passes=390, kind="boundary", first="few")}
    return Schedule(
        climbs(threat) | apgd_towards_classes(threat) | walks(threat) | short_duel | duel(threat) | squares(threat),
        long(threat) | starts_and_squares(threat, share=0.3),
        trusted(threat),
    )


def in_l1(threat: Threat) -> Schedule:
    """Return the moves in L1."""
    return Schedule(
        climbs(threat) | apgd_towards_classes(threat) | duel(threat) | walks(threat) | squares(threat),
        long(threat) | starts_and_squares(threat, share=0.3),
        trusted(threat),
    )


def in_l0(threat: Threat) -> Schedule:
    """Return the moves in L0, where squares are too large for a random search."""
    count = {"count": Move(SigmaZero(threat, steps=100), passes=150, kind="boundary", first="few")}
    walks = {"walks": Move(FMN(threat, steps=100), passes=150, kind="boundary")}
    return Schedule(
        climbs(threat) | towards_classes(threat) | count | duel(threat) | walks,
        long(threat),
        {
            "long count": Move(SigmaZero(threat, steps=1000), passes=1500, kind="boundary"),
            "long duel": Move(PDPGD(threat, steps=1500), passes=3000, kind="boundary"),
            "pixels": Move(OnePixel(threat, generations=50, population=100), passes=5000, kind="search"),
        },
    )


SCHEDULES: Mapping[type[Threat], Callable[[Threat], Schedule]] = {
    Linf: in_linf,
    L2: in_l2,
    L1: in_l1,
    L0: in_l0,
    NormalisedLinf: in_linf,
}


def schedule_of(threat: Threat) -> Schedule:
    """Return the moves of a threat's norm."""
    known = next((moves for norm, moves in SCHEDULES.items() if isinstance(threat, norm)), None)
    if known is None:
        names = ", ".join(norm.__name__ for norm in SCHEDULES)
        raise BadValue(f"an audit is defined for {names}, not {threat}")
    return known(threat)


def climbs(threat: Threat) -> dict[str, Move]:
    """Return short climbs: on the margin, on the cross-entropy, and towards every class."""
    return {
        "climb": Move(ODI(threat, steps=10), early=True, passes=24, first="all"),
        "climb ce": Move(ODI(threat, steps=10, objective=cross_entropy), early=True, passes=25, first="all"),
        "classes": Move(MultiTargeted(threat, steps=3), early=True, passes=63, first="few"),
    }


def towards_classes(threat: Threat) -> dict[str, Move]:
    """Return climbs towards every class."""
    return {"targets": Move(MultiTargeted(threat, steps=10), passes=190)}


def apgd_towards_classes(threat: Threat) -> dict[str, Move]:
    """Return them by APGD, which breaks in L2 and L1 what climbs along a cosine do not."""
    return {"targets": Move(APGDT(threat, steps=20), passes=360)}


def walks(threat: Threat) -> dict[str, Move]:
    """Return walks along the boundary: networks that hide their gradients from climbs in a ball show them there."""
    return {
        "walk": Move(FABT(threat, steps=60, classes=1), passes=160, kind="boundary", first="few"),
        "walks": Move(FAB(threat, steps=40, candidates=10), passes=400, kind="boundary"),
    }


def duel(threat: Threat) -> dict[str, Move]:
    """Return a walk along the boundary that weighs being short against being broken."""
    return {"duel": Move(PDPGD(threat, steps=500), passes=400, kind="boundary", first="few")}


def squares(threat: Threat) -> dict[str, Move]:
    """Return a short random search."""
    return {"squares": Move(Square(threat, queries=400, share=0.1), warm=True, passes=400, kind="search", first="few")}


def long(threat: Threat) -> dict[str, Move]:
    """Return long climbs."""
    return {
        "targets 2": Move(MultiTargeted(threat, steps=30), passes=550),
        "long ce": Move(ODI(threat, steps=60, restarts=3, objective=cross_entropy), passes=370),
        "many climbs": Move(ODI(threat, steps=50, restarts=10), passes=1050),
    }


def starts_and_squares(threat: Threat, share: float) -> dict[str, Move]:
    """Return climbs from many starts, and many queries of squares that begin with this share of the pixels."""
    return {
        "starts": Move(APGD(threat, restarts=5, steps=50, objective=dlr), passes=500),
        "squares 2": Move(Square(threat, queries=1500, share=share), warm=True, passes=1500, kind="search"),
    }


def trusted(threat: Threat) -> dict[str, Move]:
    """Return the attacks of AutoAttack with their published budgets."""
    kinds = {"fab-t": "boundary", "square": "search"}
    return {
        name: Move(attack, passes=COSTS[name], kind=kinds.get(name, "climb"))
        for name, attack in published(threat).items()
    }
