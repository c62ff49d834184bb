"""The attacks of paper 002 (cascade.py), by the paper's names, and the columns that they stand in."""

from collections.abc import Sequence

from holdfast.attacks import BIM, CW, FGSM, Attack, IterLL, StepLL
from holdfast.attacks.bim import iterations
from holdfast.experiments import Audit
from holdfast.experiments.table import Column
from holdfast.threats import Linf

ATTACKS = ("step_ll", "step_FGSM", "iter_ll", "iter_FGSM")


def threat(eps: int) -> Linf:
    """Return the paper's threat, whose eps is of 255."""
    return Linf(eps / 255)


def attack(name: str, eps: int) -> Attack:
    """Return one of the paper's attacks: steps of 1/255, min(eps + 4, 1.25 eps) of them, from the image itself.

    "iter_ll, renewed" chooses its class at every step, as section 5 says; "CW" is iter_FGSM on the margin (section 2).
    """
    steps = iterations(eps)
    return {
        "step_ll": StepLL(threat(eps)),
        "step_FGSM": FGSM(threat(eps)),
        "iter_ll": IterLL(threat(eps), steps, 1 / 255),
        "iter_ll, renewed": IterLL(threat(eps), steps, 1 / 255, renewed=True),
        "iter_FGSM": BIM(threat(eps), steps, 1 / 255),
        "CW": CW(threat(eps), steps, 1 / 255, random_start=False),
    }[name]


def white_box(sizes: Sequence[int]) -> dict[str, Column]:
    """Return the columns of a white-box table: clean, then each attack at every eps."""
    columns: dict[str, Column] = {"clean": None}
    for name in ATTACKS:
        columns |= {f"{name} {eps}": attack(name, eps) for eps in sizes}
    return columns


def ours(eps: int) -> dict[str, Column]:
    """Return what stands beside the paper's attacks, which are weak: what it speaks of only, and an audit of ours."""
    spoken_of = {f"{name} {eps}": attack(name, eps) for name in ("iter_ll, renewed", "CW")}
    return {**spoken_of, f"audit {eps}": Audit(threat(eps), limit=300)}
