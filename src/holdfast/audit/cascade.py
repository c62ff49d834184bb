"""The cascade: short attacks on all images, long ones only on the few that came nearest to being wrong.

What gradients leave standing is not spread evenly: an image that a stronger attack breaks is almost always among those
whose best point had the highest margin. So each move takes a smaller share of the standing images, and random search
starts where the gradients stopped. Shares and budgets come from break curves; docs/audit.md has them.
"""

from dataclasses import dataclass

from holdfast.attacks import APGD, APGDT, ODI, MultiTargeted, RayS, Square
from holdfast.audit.autoattack import published
from holdfast.audit.ensemble import Move
from holdfast.errors import UnknownName
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import L1, L2, Linf, Threat

EFFORTS = ("fast", "standard", "thorough", "autoattack")


def moves_of(effort: str, threat: Threat) -> dict[str, Move]:
    """Return the moves of an effort by name, in their order.

    Raises:
        UnknownName: there is no such effort.
    """
    if effort not in EFFORTS:
        raise UnknownName("effort", effort, EFFORTS)
    trusted = {name: Move(attack) for name, attack in published(threat).items()}
    if effort == "autoattack":
        return trusted
    if effort == "fast":
        return sweep(threat)
    return sweep(threat) | hunt(threat) | (trusted if effort == "thorough" else {})


def sweep(threat: Threat) -> dict[str, Move]:
    """Return what `fast` is: all images for a moment, towards every class, then longer where that came near."""
    return {
        "sweep": Move(ODI(threat, steps=10), early=True),
        "classes": Move(MultiTargeted(threat, steps=3), early=True),
        "sweep ce": Move(ODI(threat, steps=20, objective=cross_entropy), share=0.3, early=True),
        "targets": Move(MultiTargeted(threat, steps=10), share=0.15, early=True),
        "squares": Move(Square(threat, queries=400, share=0.1), share=0.1, warm=True),
    }


def hunt(threat: Threat) -> dict[str, Move]:
    """Return what `standard` adds: long climbs, many queries where a few broke an image, many starts for the last."""
    return {
        "targets 2": targets(threat),
        "long ce": Move(ODI(threat, steps=60, restarts=3, objective=cross_entropy), share=0.05),
        "squares 2": Move(Square(threat, queries=1500, share=0.1), share=0.03, warm=True, after="squares"),
        "targets 3": Move(MultiTargeted(threat, steps=40), share=0.05),
        "squares 3": Move(Square(threat, queries=3000, share=0.05), share=0.02, warm=True, after="squares 2"),
        "last starts": Move(APGD(threat, restarts=5, objective=dlr), share=0.01),
        "last climbs": Move(ODI(threat, steps=50, restarts=10), share=0.01),
    }


def targets(threat: Threat) -> Move:
    """Return a way towards every class unlike the one before: in L2 and L1 APGD breaks what cosines do not.

    In L1 its points are sparse, those of the ways to the corners are not, and the margin tells little of who breaks.
    """
    if isinstance(threat, L1):
        return Move(APGDT(threat, steps=60), share=0.5)
    if isinstance(threat, L2):
        return Move(APGDT(threat, steps=20), share=0.2)
    return Move(MultiTargeted(threat), share=0.1)


@dataclass(frozen=True)
class Step:
    """Moves that an audit makes one after the other, before it looks at the checks again."""

    moves: dict[str, Move]
    if_misled: bool = False
    """Whether they are made only where a check says that the attacks so far failed."""


def plan_of(effort: str, threat: Threat) -> tuple[Step, ...]:
    """Return the steps of an effort.

    Where checks say that the attacks failed, `standard` goes on, through all of AutoAttack at the latest. `thorough`
    makes the same steps, and then what of AutoAttack is left, so that it can never report more than either.

    Raises:
        UnknownName: there is no such effort.
    """
    if effort in ("fast", "autoattack"):
        return (Step(moves_of(effort, threat)),)
    trusted = moves_of("autoattack", threat)
    steps = (Step(moves_of("standard", threat)), Step(searches(threat), True), Step(trusted, True))
    return steps if effort == "standard" else (*steps, Step(moves_of(effort, threat)))


def searches(threat: Threat) -> dict[str, Move]:
    """Return long random search and many starts on all that stand, for networks whose gradients seem to mislead.

    Of a network that names its class alone, squares learn nothing on the way to a break; rays do.
    """
    trusted = published(threat)
    rays = {"rays": Move(RayS(threat, queries=2000), warm=True)} if isinstance(threat, Linf) else {}
    return {
        "square on all": Move(Square(threat, queries=1000, share=0.1), warm=True),
        **rays,
        "starts": Move(APGD(threat, restarts=5, objective=dlr), share=0.3),
        "cold square": Move(trusted["square"], share=0.5),
    }
