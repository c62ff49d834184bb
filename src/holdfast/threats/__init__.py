"""What the attacker may change: a ball around each image, cut by the box [0, 1]; one file a norm.

A threat is all that an attack needs to know of a norm, so an algorithm is written once for all of them.
"""

from collections.abc import Mapping

from holdfast.threats.l0 import L0
from holdfast.threats.l1 import L1
from holdfast.threats.l2 import L2
from holdfast.threats.linf import Linf
from holdfast.threats.normalised_linf import NormalisedLinf
from holdfast.threats.threat import Sparse, Threat, of_unit_size, per_image

NORMS: Mapping[str, type[Linf | L2 | L1 | L0 | NormalisedLinf]] = {
    "Linf": Linf,
    "L2": L2,
    "L1": L1,
    "L0": L0,
    "NormalisedLinf": NormalisedLinf,
}

__all__ = ["L0", "L1", "L2", "Linf", "NormalisedLinf", "Sparse", "Threat", "of_unit_size", "per_image"]
