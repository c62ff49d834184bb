"""L-inf of normalised pixels: the ball of code that attacks images after they were divided by each channel's spread."""

from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.errors import require, shown
from holdfast.fields import NonNegative
from holdfast.rng import Stream
from holdfast.threats.threat import ROUNDING, Threat, norm, per_image
from holdfast.types import Images, PerImage

CIFAR_STD = (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True)
class NormalisedLinf(Threat):
    """Every pixel of channel c may move by at most `eps * std[c]`: by eps, once images are normalised by that `std`.

    Distances, and the steps of attacks, are in normalised units too: `PGD(NormalisedLinf(0.031), step_size=0.008)`.
    Images stay in [0, 1].
    """

    eps: NonNegative = 0.031
    std: tuple[float, ...] = CIFAR_STD
    """The standard deviation of each channel; one number for all, or, where images are grey, several by which one
    channel is normalised side by side: the smallest counts, so that none of the copies moves further than eps."""

    def __post_init__(self) -> None:
        """Refuse deviations that no pixels in [0, 1] have."""
        super().__post_init__()
        fits = len(self.std) > 0 and all(0 < each <= 1 for each in self.std)
        require(
            fits, f"NormalisedLinf: std = {shown(self.std)}: give the deviation of each channel, of pixels in [0, 1]"
        )

    def unit(self, images: Images) -> Tensor:
        """Return how far a pixel of each channel moves in a step of size 1, shape (c, 1, 1)."""
        channels = images.shape[1]
        words = f"{self}: images have {channels} channels, and std has {len(self.std)} numbers"
        require(channels == 1 or len(self.std) in (1, channels), words)
        std = self.std if len(self.std) == channels else (min(self.std),)
        return torch.stack([images.new_full((1, 1), each) for each in std])  # written there: a copy would wait

    def project(self, images: Images, center: Images) -> Images:
        """Clip each pixel to its interval; a bound that was rounded outwards is rounded towards the center."""
        radius = self.eps * self.unit(center)
        moved = images.clamp(center - radius, center + radius).clamp(0, 1)
        return torch.where((moved - center).abs() > radius * (1 + ROUNDING), moved.nextafter(center), moved)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Move each pixel by a uniform number between its bounds."""
        noise = 2 * stream.uniform(center.shape[1:]) - 1
        return self.project(center + (self.eps * self.unit(center)).clamp_max(1.0) * noise, center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the sign, as large as the channel's unit."""
        return gradient.sign() * self.unit(gradient)

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the largest change of a normalised pixel."""
        return ((images - center).abs() / self.unit(center)).flatten(1).amax(1)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the sum of magnitudes, each in the unit of its channel."""
        return norm(gradient * self.unit(gradient), 1)

    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Clip each change; an infinite radius clips nothing."""
        bound = per_image(radius) * self.unit(change)
        return change.clamp(-bound, bound)

    def diameter(self, images: Images) -> float:
        """Return how many of the smallest unit there are from 0 to 1."""
        return 1 / min(self.std)
