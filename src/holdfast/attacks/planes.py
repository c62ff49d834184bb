"""The shortest way from a point onto a plane, inside the box [0, 1]: what FAB takes at every step (Croce, Hein, 2020).

Along the shortest way every pixel moves to the side where its weight points, as far as the norm allows, until it meets
the wall. How much that gains is a piecewise linear function of one number, so sorting its kinks solves it exactly.

The published codes take what is left of a sum as the whole less a running sum. Where weights span orders of magnitude
that difference is rounding of either sign, and the step it leads to has no bound. Here what is left is added up from
the other end, so that every term is positive, in float64, and the answer stays between the kinks it lies between.
"""

import torch
from torch import Tensor

from holdfast.threats import L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import PerImage

FAINT = 1e-15
"""A weight that is this share of its image's largest, or less, counts as zero: its square is no number of float32."""


def onto_plane(threat: Threat, x: Tensor, w: Tensor, gap: PerImage) -> Tensor:
    """Return the shortest step r with <w, r> = gap and x + r in [0, 1]; the furthest there is where none reaches.

    `x` and `w` have one shape, (n, c, h, w) or (n, d); the norm is the threat's.
    """
    shape, unit = x.shape, threat.unit(x) if isinstance(threat, NormalisedLinf) else x.new_ones(())
    x, w, unit = x.flatten(1), w.flatten(1), unit.expand(shape[1:]).flatten()
    weight = w.abs() * unit
    largest = weight.amax(1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
    weight = torch.where(weight > FAINT * largest, weight / largest, torch.zeros_like(weight))
    need = gap.abs().double() / largest[:, 0].double()
    towards = gap.sign()[:, None] * w.sign() * (weight > 0)
    room = torch.where(towards > 0, 1 - x, x) * (towards != 0) / unit
    if isinstance(threat, Linf | NormalisedLinf):
        length = level(room, weight, need).minimum(room)
    elif isinstance(threat, L2):
        kinks = torch.where(weight > 0, room / weight.clamp_min(FAINT), torch.zeros_like(room))
        length = (level(kinks, weight.square(), need) * weight).minimum(room)
    else:
        assert isinstance(threat, L1), "FAB is defined for L-inf, L2 and L1"
        length = greedy(room, weight, need)
    return (towards * length * unit).view(shape)


def level(kinks: Tensor, slope: Tensor, need: PerImage) -> Tensor:
    """Return the t, shape (n, 1), at which sum_i slope_i min(t, kink_i) = need, or the last kink if that is less."""
    ordered, place = kinks.sort(dim=1)
    slope = slope.gather(1, place).double()
    passed = before(slope * ordered)  # what the pixels that stand at their walls have gained
    rest = slope.flip(1).cumsum(1).flip(1)  # the slopes of the others
    gained = passed + rest * ordered  # at each kink
    number = (gained < need[:, None]).sum(1, keepdim=True).clamp_max(kinks.shape[1] - 1)
    found = (need[:, None] - passed.gather(1, number)) / rest.gather(1, number).clamp_min(1e-300)
    least = torch.where(number > 0, ordered.gather(1, (number - 1).clamp_min(0)), 0.0)
    return found.to(kinks.dtype).maximum(least).minimum(ordered.gather(1, number))


def greedy(room: Tensor, weight: Tensor, need: PerImage) -> Tensor:
    """Return how far each pixel goes when the heaviest ones go first, each to its wall."""
    weight_sorted, place = weight.sort(dim=1, descending=True, stable=True)
    room_sorted = room.gather(1, place)
    left = (need[:, None] - before(weight_sorted.double() * room_sorted)).clamp_min(0)
    length = (left / weight_sorted.clamp_min(FAINT)).to(room.dtype).minimum(room_sorted)
    return torch.zeros_like(room).scatter(1, place, length)


def before(values: Tensor) -> Tensor:
    """Return the sum of the values that stand before each one in its row."""
    return torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1].cumsum(1)], 1)
