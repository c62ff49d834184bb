"""Attacks as papers name them: by how many steps fill the ball, and how many are taken."""

import math

from holdfast.attacks.attack import full_step
from holdfast.attacks.bim import BIM
from holdfast.attacks.pgd import PGD
from holdfast.errors import require
from holdfast.threats import Threat


def bim(threat: Threat, n1: float, n2: int) -> BIM:
    """Return BIM(n1, n2): n2 steps of size eps / n1 from the image, each projected (paper 003, equations 3 and 4).

    The equations clip the single step only, so that the change could grow to n2 / n1 times eps; the platform that the
    paper names projects, and so do we.
    """
    return BIM(threat, steps=n2, step_size=_step(threat, n1))


def madry(threat: Threat, n1: float, n2: int) -> PGD:
    """Return Madry(n1, n2): BIM(n1, n2) from a random point of the ball (paper 003, section 2.1.2)."""
    return PGD(threat, steps=n2, step_size=_step(threat, n1))


def fast(threat: Threat, reach: float = 1.25) -> PGD:
    """Return the attack of Fast-AT: one step of `reach` times eps from a random point (Wong, Rice, Kolter, 2020)."""
    return PGD(threat, steps=1, step_size=reach * full_step(threat))


def _step(threat: Threat, n1: float) -> float:
    require(0 < n1 < math.inf, f"n1 = {n1}: the ball is filled by a finite number of steps, more than 0")
    full_step(threat)  # refuses a ball without an end
    return threat.step(steps=n1)
