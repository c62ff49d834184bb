"""Every published attack, with a small budget: what tests of all of them share."""

from dataclasses import fields
from math import isqrt

from torch import Tensor

from holdfast import L0, L1, L2, Linf, NormalisedLinf
from holdfast.attacks import Attack
from holdfast.threats import Threat
from tests.conftest import attack_kinds

KINDS = attack_kinds()
THREATS = (Linf(0.1), L2(0.7), L1(3.0), L0(5), NormalisedLinf(0.4, (0.3, 0.1, 0.25)))


def own(kind: type[Attack]) -> Threat:
    """Return a threat that the attack is defined for."""
    return next(threat for threat in THREATS if isinstance(threat, kind.threats))


def quick(kind: type[Attack], threat: Threat | None = None, **given: object) -> Attack:
    """Return an attack that spends little: of each whole number that it has, as its steps or queries, the root.

    Enough for every branch of an attack; how strong it is, other tests ask.
    """
    numbers = {field.name: isqrt(field.default) for field in fields(kind) if type(field.default) is int}
    return kind(own(kind) if threat is None else threat, **numbers | given)


def inside(threat: Threat, attacked: Tensor, images: Tensor) -> bool:
    """Say whether images are numbers, in their ball but for rounding, and in the box."""
    far = float(threat.distance(attacked, images).max())
    return far <= threat.eps * (1 + 1e-6) and bool(((attacked >= 0) & (attacked <= 1)).all())
