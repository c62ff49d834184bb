"""Proximal operators: the q that minimises |q - v|^2 / 2 + weight h(q), for the norms and what stands in for L0.

Each takes changes `v` of shape (n, c, h, w) and one weight an image, 0 or more; a weight of 0 leaves `v` as it is.
"""

import torch
from torch import Tensor

from holdfast.threats import L2, per_image
from holdfast.threats.l1 import soft
from holdfast.types import PerImage

EUCLIDEAN = L2()


def linf(v: Tensor, weight: PerImage) -> Tensor:
    """Cut to the level beyond which the magnitudes add up to `weight`: v less its projection onto an L1 ball."""
    level = per_image(soft(v.abs().flatten(1), weight)[:, 0])
    return v.clamp(-level, level)


def l2(v: Tensor, weight: PerImage) -> Tensor:
    """Shorten by `weight`, to no less than nothing."""
    share = 1 - weight / EUCLIDEAN.dual(v).clamp_min(1e-30)
    return v * per_image(share.clamp_min(0))


def l1(v: Tensor, weight: PerImage) -> Tensor:
    """Shrink every value by `weight`, to no less than nothing."""
    return v.sign() * (v.abs() - per_image(weight)).clamp_min(0)


def l0(v: Tensor, weight: PerImage) -> Tensor:
    """Drop the values that are not worth `weight` each; a pixel's channels are values of their own."""
    return torch.where(v.abs() > per_image((2 * weight).sqrt()), v, 0.0)


LEAST = 2 / 3 * 24**0.25
"""With a weight of 1, magnitudes up to this become zero under `two_thirds`."""


def two_thirds(v: Tensor, weight: PerImage) -> Tensor:
    """Return the operator of the sum of |q|^(2/3): few values stay, and those hardly shrink.

    The published closed form subtracts two numbers that are nearly equal: in float32 nothing is left of them where the
    weight is small, and it lets values below the threshold through. Newton's method has neither fault.
    """
    unit = per_image(weight.clamp_min(1e-30) ** 0.75)  # in this unit the weight is 1
    w = (v.abs() / unit).clamp_min(LEAST)
    # With q = s^3 the equation q = w - (2 / 3) q^(-1/3) is s^4 - w s + 2 / 3 = 0, whose largest root is looked for.
    s = w ** (1 / 3) - 2 / (9 * w)
    for _ in range(4):
        cube = s * s * s
        s = (3 * cube * s - 2 / 3) / (4 * cube - w)
    return torch.where(v.abs() > LEAST * unit, v - v.sign() * unit * (2 / 3) / s, 0.0)
