"""The cascade: short attacks on all images, long ones only on the few that came nearest to being wrong.

What gradients leave standing is not spread evenly: an image that a stronger attack breaks is almost always among those
whose best point had the highest margin. So each move takes a smaller share of the standing images, and random search
starts where the gradients stopped. Shares and budgets come from break curves; docs/attacks.md has them.
"""

from holdfast.attacks import APGD, APGDT, ODI, MultiTargeted, Square
from holdfast.audit.autoattack import published
from holdfast.audit.ensemble import Move
from holdfast.errors import UnknownName
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import L1, Threat

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
    first = sparse_sweep(threat) if isinstance(threat, L1) else sweep(threat)
    if effort == "fast":
        return first
    return first | hunt(threat) | (trusted if effort == "thorough" else {})


def sweep(threat: Threat) -> dict[str, Move]:
    """Return what `fast` is: all images for a moment, then the fragile third, then the fragile tenth."""
    return {
        "sweep": Move(ODI(threat, steps=10)),
        "sweep ce": Move(ODI(threat, steps=20, objective=cross_entropy), share=0.3),
        "targets": Move(MultiTargeted(threat, steps=20), share=0.1),
        "square": Move(Square(threat, queries=400, share=0.1), share=0.1, warm=True),
    }


def sparse_sweep(threat: Threat) -> dict[str, Move]:
    """Return the same for L1, where only APGD's sparse steps get far."""
    return {
        "sweep": Move(APGD(threat, steps=20)),
        "sweep dlr": Move(APGD(threat, steps=30, objective=dlr), share=0.3),
        "targets": Move(APGDT(threat, steps=30), share=0.1),
        "square": Move(Square(threat, queries=400, share=0.1), share=0.1, warm=True),
    }


def hunt(threat: Threat) -> dict[str, Move]:
    """Return what `standard` adds: long attacks and many queries on the last few in a hundred."""
    long = (
        APGD(threat, steps=60, restarts=3)
        if isinstance(threat, L1)
        else ODI(threat, steps=60, restarts=3, objective=cross_entropy)
    )
    targets = APGDT(threat, steps=60) if isinstance(threat, L1) else MultiTargeted(threat, steps=40)
    return {
        "long ce": Move(long, share=0.05),
        "square 2": Move(Square(threat, queries=1500, share=0.1), share=0.03, warm=True),
        "targets 2": Move(targets, share=0.03),
        "square 3": Move(Square(threat, queries=3000, share=0.05), share=0.02, warm=True),
    }


def escalation(threat: Threat) -> dict[str, Move]:
    """Return what follows where gradients seem to mislead: long random search and many starts on all that stand."""
    trusted = published(threat)
    return {
        "square on all": Move(Square(threat, queries=1000, share=0.1), warm=True),
        "starts": Move(APGD(threat, restarts=5, objective=dlr), share=0.3),
        "cold square": Move(trusted["square"], share=0.5),
    }
