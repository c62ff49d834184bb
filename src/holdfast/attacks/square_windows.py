"""What Square moves about (Andriushchenko et al.: "Square attack", 2020, section 3): windows of one sign in L-inf, and
in L2 and L1 bumps, a mound beside a hollow, which lean on what is taken from a second window.

Every image draws its own windows, from all places; in the authors' code one window serves the whole batch at each
query, and none lies at the last row or column.
"""

from functools import lru_cache

import torch
from torch import Tensor

from holdfast.attacks.draws import Query
from holdfast.rng import Stream
from holdfast.types import Images

SHRINK = {1: 4.0, 2: 2.0}
"""The power by which a bump falls off from its middle: 2 in the paper's L2, 4 in AutoAttack's L1."""


def signs(stream: Stream | Query, shape: tuple[int, ...]) -> Tensor:
    """Return +1 or -1 at random, shape (n, *shape)."""
    return 1 - 2 * (stream.uniform(shape) < 0.5).float()


def corners(stream: Stream | Query, side: int, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Return the top row and the left column of a square at a random place of each image, each of shape (n,)."""
    place = stream.split("place").uniform((2,))
    return (place[:, 0] * (h - side + 1)).long(), (place[:, 1] * (w - side + 1)).long()


def within(top: Tensor, left: Tensor, side: int, h: int, w: int) -> Tensor:
    """Return 1 inside the squares with these corners and 0 outside, shape (n, 1, h, w)."""
    rows = torch.arange(h, device=top.device) - top[:, None]
    columns = torch.arange(w, device=top.device) - left[:, None]
    inside_rows, inside_columns = ((far >= 0) & (far < side) for far in (rows, columns))
    return inside_rows.float()[:, None, :, None] * inside_columns.float()[:, None, None, :]


def window(stream: Stream | Query, side: int, h: int, w: int) -> Tensor:
    """Return 1 inside a square at a random place of each image and 0 outside, shape (n, 1, h, w)."""
    return within(*corners(stream, side, h, w), side, h, w)


def mound(h: int, w: int, order: int, device: torch.device) -> Tensor:
    """Return a hill of unit norm, shape (h, w): sum over k >= m of (k + 1)^-power at m rings from the middle."""
    rows, columns = (torch.arange(count, device=device) - count // 2 for count in (h, w))
    ring = torch.maximum(rows.abs()[:, None], columns.abs()[None, :])
    slope = torch.arange(1, max(h, w) // 2 + 2, device=device).float() ** -SHRINK[order]
    hill = slope.flip(0).cumsum(0).flip(0)[ring]
    unit: Tensor = hill / torch.linalg.vector_norm(hill.flatten(), order)
    return unit


@lru_cache(maxsize=16)
def bumps(side: int, order: int, device: torch.device) -> Tensor:
    """Return a mound above a hollow, and both turned on their side: unit norm each, shape (2, side, side)."""
    upper, lower = mound(side // 2, side, order, device), mound(side - side // 2, side, order, device)
    bump = torch.cat([upper, -lower])
    bump = bump / torch.linalg.vector_norm(bump.flatten(), order)
    return torch.stack([bump, bump.T])


def tiles(images: Images, order: int, stream: Stream) -> Tensor:
    """Return changes that tile the images with bumps, a fifth of the image a side, each turned and signed at random.

    Sides that five does not divide leave a margin all around. Below ten pixels a side the authors' tiles leave out
    the first row and column; these do not.
    """
    n, c, h, w = images.shape
    side = max(min(h, w) // 5, 1)
    down, across = h // side, w // side
    turned = (stream.split("turned").uniform((1, down, across)) < 0.5).long()
    colour = signs(stream.split("colour"), (c, down, across))
    bump = bumps(side, order, images.device)[turned] * colour[..., None, None]  # (n, c, down, across, side, side)
    tiled = bump.transpose(3, 4).reshape(n, c, down * side, across * side)
    top, left = (h - down * side) // 2, (w - across * side) // 2
    change = torch.zeros_like(images)
    change[:, :, top : top + down * side, left : left + across * side] = tiled
    return change


def exchange(delta: Tensor, eps: float, order: int, side: int, stream: Stream | Query) -> Tensor:
    """Return the changes with a bump added in one window, paid for by a second one, which is emptied (algorithm 3).

    The first window's part of each channel turns to the sum of the bump and its own direction. Its norm is what both
    windows had in that channel, and an equal part of what the image has left of `eps`; so in L2 all of `eps` is spent.
    """
    _, c, h, w = delta.shape
    top, left = corners(stream.split("first"), side, h, w)
    first, second = within(top, left, side, h, w), window(stream.split("second"), side, h, w)
    rows = (torch.arange(h, device=delta.device) - top[:, None]).clamp(0, side - 1)
    columns = (torch.arange(w, device=delta.device) - left[:, None]).clamp(0, side - 1)
    turned = (stream.split("turned").uniform((1,)) < 0.5).long()[:, :, None]
    bump = bumps(side, order, delta.device)[turned, rows[:, :, None], columns[:, None, :]][:, None] * first
    old = delta * first
    towards = signs(stream.split("colour"), (c, 1, 1)) * bump
    towards = towards + old / length(old, order).clamp_min(1e-12)
    towards = towards / length(towards, order).clamp_min(1e-12)
    spent = torch.linalg.vector_norm(delta, order, dim=(1, 2, 3), keepdim=True)
    both = length(delta * torch.maximum(first, second), order)
    size: Tensor = ((eps**order - spent**order).clamp_min(0) / c + both**order) ** (1 / order)
    # In L1 AutoAttack hands every channel what is meant for all; the projection takes back what is too much.
    size = size * c if order == 1 else size
    return delta * (1 - torch.maximum(first, second)) + towards * size


def length(change: Tensor, order: int) -> Tensor:
    """Return the norm of each channel, shape (n, c, 1, 1)."""
    norm: Tensor = torch.linalg.vector_norm(change, order, dim=(2, 3), keepdim=True)
    return norm
