"""What the tables and figures of paper 001 measure: its attacks, and ours beside them."""

from collections.abc import Mapping

from holdfast.attacks import BIM, CW, MIM
from holdfast.experiments import Audit, Neighbours
from holdfast.experiments.table import Column
from holdfast.papers.agkd_bml_runs import STEP, THREAT, pgd
from holdfast.threats import Linf

FGSM = pgd(1, THREAT.eps)
"""One full step from a random start, as the code calls it."""


def cw(steps: int) -> CW:
    """Return steps on the margin."""
    return CW(THREAT, steps=steps, step_size=STEP)


def bim(steps: int) -> BIM:
    """Return steps from the image itself."""
    return BIM(THREAT, steps=steps, step_size=STEP)


ATTACKS: Mapping[str, Column] = {
    "clean": None,
    "FGSM": FGSM,
    "BIM-7": bim(7),
    "PGD-20": pgd(20),
    "PGD-100": pgd(100),
    "CW-20": cw(20),
    "CW-100": cw(100),
    "AA": Audit(THREAT, "autoattack", limit=500),
}
ON_SVHN: Mapping[str, Column] = {
    **{name: column for name, column in ATTACKS.items() if name not in ("BIM-7", "AA")},
    "MIM-40": MIM(THREAT, steps=40, step_size=STEP),
}
ON_SVHN = {"clean": None, "FGSM": FGSM, "BIM-10": bim(10), **ON_SVHN}
ON_TINY: Mapping[str, Column] = {
    "clean": None,
    "FGSM": FGSM,
    "BIM-10": bim(10),
    "PGD-10": pgd(10),
    "PGD-20": pgd(20),
    "CW-10": cw(10),
    "CW-20": cw(20),
    "MIM-40": MIM(THREAT, steps=40, step_size=STEP),
}
AUDIT: Mapping[str, Column] = {"audit": Audit(THREAT, limit=500)}
ABLATION: Mapping[str, Column] = {"FGSM": FGSM, "PGD-20": pgd(20), "CW-20": cw(20)}
WIDER_ABLATION: Mapping[str, Column] = {
    **ABLATION,
    "clean": None,
    "k-NN, PGD-20": Neighbours(50, pgd(20)),
    **AUDIT,
}
"""The columns that the paper prints of Table 2, and ours."""
NEIGHBOURS: Mapping[str, Column] = {
    "k-NN, clean": Neighbours(50),
    "clean": None,
    "k-NN, PGD-20": Neighbours(50, pgd(20)),
    "PGD-20": pgd(20),
}


def by_steps() -> dict[str, Column]:
    """Return PGD with ever more steps (Figure 5, left)."""
    return {f"{steps}": pgd(steps) for steps in (1, 2, 5, 10, 20, 50, 100)}


def by_eps() -> dict[str, Column]:
    """Return twenty steps of PGD in ever larger balls (Figure 5, right)."""
    return {f"{eps}": pgd(20, threat=Linf(eps / 255)) for eps in (2, 4, 8, 12, 16, 20)}
