"""Restores removed pixels from those around them.

Each becomes the mean of its four neighbours (the harmonic, or diffusion, inpainting), found by repeated averaging. It
stands in for Telea's marching (2004), which OpenCV has and which goes pixel by pixel.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from holdfast.types import Images

SWEEPS = 50
"""In a hole of 2x2 pixels each sweep halves what is missing."""


def inpainted(images: Images, removed: Bool[Tensor, "*n h w"], sweeps: int = SWEEPS) -> Images:
    """Return the images with the removed pixels restored, the others as they are; past the border is no pixel."""
    holes = removed.reshape(-1, 1, *removed.shape[-2:])
    known = (~holes).to(images.dtype)
    mean = (images * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
    restored = torch.where(holes, mean, images)
    count = _neighbours(torch.ones_like(known))
    for _ in range(sweeps):
        restored = torch.where(holes, _neighbours(restored) / count, restored)
    return restored


def blobs(size: tuple[int, int], share: float, count: int, seed: int) -> Bool[Tensor, "count h w"]:
    """Return masks that are true in blobs of 2x2 at random places, on about this share of the pixels."""
    rows, columns = (max(1, length - 1) for length in size)
    source = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, rows * columns, generator=source).argsort(1)
    chosen = corners[:, : max(1, round(share * size[0] * size[1] / 4))]
    first = torch.zeros(count, rows * columns).scatter(1, chosen, 1.0).reshape(count, 1, rows, columns)
    grown = F.max_pool2d(F.pad(first, (1, 1, 1, 1)), 2, 1)
    return grown[:, 0, : size[0], : size[1]].bool()


def _neighbours(images: Tensor) -> Tensor:
    """Return the sum of the four neighbours of each pixel."""
    around = F.pad(images, (1, 1, 1, 1))
    return around[..., :-2, 1:-1] + around[..., 2:, 1:-1] + around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
