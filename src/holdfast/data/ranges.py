"""Pixels as a person's data hold them: in [0, 1] or refused, and as bytes where they are multiples of 1/255."""

import math

import torch
from torch import Tensor

from holdfast.errors import BadImages, require

ROUNDING = 6e-8
"""How far k/255 lies from itself in float32, divided or multiplied by 1/255."""
OUTSIDE = 1e-6
"""How far outside [0, 1] a pixel may be by rounding; it is clamped."""


def in_range(images: Tensor) -> Tensor:
    """Return images in [0, 1]; say of others what they are and what to do."""
    if images.dtype == torch.uint8 or images.numel() == 0:
        return images
    low, high = (float(bound) for bound in images.aminmax())
    words = "images of the data are NaN or infinite in places; holdfast wants [0, 1]"
    require(math.isfinite(low) and math.isfinite(high), words, BadImages)
    remedy = (
        "divide them by 255"
        if low >= 0
        else "leave Normalize(mean, std) out of the transform and put it into the network: "
        "torch.nn.Sequential(hf.Normalized(mean, std), network)"
    )
    within = low >= -OUTSIDE and high <= 1 + OUTSIDE
    require(within, f"images of the data are in [{low:.4g}, {high:.4g}]; holdfast wants [0, 1]: {remedy}", BadImages)
    return images.clamp(0, 1)


def in_bytes(images: Tensor) -> Tensor:
    """Return images that are multiples of 1/255, as float32 rounds them, as bytes; others as they are."""
    if images.dtype == torch.uint8:
        return images
    nearest = (images * 255).round()
    return nearest.byte() if bool(((nearest / 255 - images).abs() <= ROUNDING).all()) else images


def in_floats(images: Tensor) -> Tensor:
    """Return bytes as float32; others as they are."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
