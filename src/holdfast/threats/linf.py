"""L-inf: every pixel may move a little."""

import math
from dataclasses import dataclass

from torch import Tensor

from holdfast.errors import BadValue
from holdfast.fields import NonNegative
from holdfast.rng import Stream
from holdfast.threats.threat import Threat, norm, per_image
from holdfast.types import Images, PerImage


@dataclass(frozen=True)
class Linf(Threat):
    """Every pixel may move by at most `eps`."""

    eps: NonNegative = 8 / 255

    def __post_init__(self) -> None:
        """Refuse an eps in units of 0..255."""
        super().__post_init__()
        if 1 < self.eps < math.inf:
            raise BadValue(f"Linf eps = {self.eps}: pixels are in [0, 1]; did you mean {self.eps:g}/255?")

    def project(self, images: Images, center: Images) -> Images:
        """Clip each pixel to its interval."""
        return images.clamp(center - self.eps, center + self.eps).clamp(0, 1)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Move each pixel by a uniform number in [-eps, eps]."""
        noise = 2 * stream.uniform(center.shape[1:]) - 1
        return self.project(center + min(self.eps, 1.0) * noise, center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the sign."""
        return gradient.sign()

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the largest change of a pixel."""
        return (images - center).abs().flatten(1).amax(1)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the sum of magnitudes."""
        return norm(gradient, 1)

    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Clip each change."""
        return change.clamp(-per_image(radius), per_image(radius))

    def diameter(self, images: Images) -> float:
        """Return 1."""
        return 1.0
