"""The shortest way from a point onto a plane, inside the box [0, 1]: what FAB takes at every step (Croce, Hein, 2020).

Along the shortest way every pixel moves to the side where its weight points, as far as the norm allows, until it meets
the wall. How much that gains is a piecewise linear function of one number, so sorting its kinks solves it exactly.
"""

import torch
from torch import Tensor

from holdfast.threats import L1, L2, Linf, Threat
from holdfast.types import PerImage


def onto_plane(threat: Threat, x: Tensor, w: Tensor, gap: PerImage) -> Tensor:
    """Return the shortest step r with <w, r> = gap and x + r in [0, 1]; the furthest there is where none reaches.

    `x` and `w` have shape (n, d); the norm is the threat's.
    """
    towards = gap.sign()[:, None] * w.sign()
    room = torch.where(towards > 0, 1 - x, x) * (towards != 0)
    need, weight = gap.abs(), w.abs()
    if isinstance(threat, Linf):
        length = level(room, weight, need)[:, None].minimum(room)
    elif isinstance(threat, L2):
        kinks = torch.where(weight > 0, room / weight.clamp_min(1e-30), torch.zeros_like(room))
        length = (level(kinks, weight.square(), need)[:, None] * weight).minimum(room)
    else:
        assert isinstance(threat, L1), "FAB is defined for L-inf, L2 and L1"
        length = greedy(room, weight, need)
    return towards * length


def level(kinks: Tensor, slope: Tensor, need: PerImage) -> PerImage:
    """Return the t at which sum_i slope_i min(t, kink_i) = need, or the last kink where it stays below."""
    ordered, place = kinks.sort(dim=1)
    slope = slope.gather(1, place)
    passed = (slope * ordered).cumsum(1)
    rest = slope.sum(1, keepdim=True) - slope.cumsum(1)
    gained = passed + rest * ordered  # at each kink
    number = (gained < need[:, None]).sum(1, keepdim=True).clamp_max(kinks.shape[1] - 1)
    before = (number - 1).clamp_min(0)
    first = number == 0
    base = torch.where(first, torch.zeros_like(need)[:, None], passed.gather(1, before))
    steep = torch.where(first, slope.sum(1, keepdim=True), rest.gather(1, before))
    found: Tensor = (need[:, None] - base) / steep.clamp_min(1e-30)
    return found.minimum(ordered[:, -1:])[:, 0]


def greedy(room: Tensor, weight: Tensor, need: PerImage) -> Tensor:
    """Return how far each pixel goes when the heaviest ones go first, each to its wall."""
    weight_sorted, place = weight.sort(dim=1, descending=True)
    room_sorted = room.gather(1, place)
    gain = weight_sorted * room_sorted
    left = (need[:, None] - (gain.cumsum(1) - gain)).clamp_min(0)
    length = (left / weight_sorted.clamp_min(1e-30)).minimum(room_sorted)
    return torch.zeros_like(room).scatter(1, place, length)
