"""Samplers of eps: functions from the random streams of images to each image's share of eps, in [0, 1].

Adversarial training whose eps is always the same holds at that eps and not below it (Kurakin, Goodfellow, Bengio:
"Adversarial machine learning at scale", 2017), so each image draws its own.
"""

from collections.abc import Callable

import torch

from holdfast.rng import Stream
from holdfast.types import PerImage

EpsSampler = Callable[[Stream], PerImage]

DEVIATION = 0.5
"""Of the normal numbers, in eps."""
WITHIN_TWO = 0.9544997361036416
"""The share of normal numbers that lie within two deviations, where eps is."""


def clipped_normal(stream: Stream) -> PerImage:
    """Return min(|N(0, 1/2)|, 1): what the code of Na et al. (2017) draws; 4.6 % of the images get all of eps."""
    return (DEVIATION * stream.normal((1,))[:, 0]).abs().clamp_max(1.0)


def truncated_normal(stream: Stream) -> PerImage:
    """Return |N(0, 1/2)| drawn anew until it is at most 1 (Kurakin et al., 2017), by inverting its distribution."""
    return DEVIATION * 2**0.5 * torch.erfinv(WITHIN_TWO * stream.uniform((1,))[:, 0])


def uniform(stream: Stream) -> PerImage:
    """Return a number drawn evenly."""
    return stream.uniform((1,))[:, 0]


def full(stream: Stream) -> PerImage:
    """Return 1: every image goes as far as it may."""
    return torch.ones(len(stream.keys), device=stream.keys.device)
