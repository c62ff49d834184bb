"""L2: the Euclidean length of the change is limited."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.fields import NonNegative
from holdfast.rng import Stream
from holdfast.threats.threat import Threat, landed, norm, of_unit_size, per_image, scaled
from holdfast.types import Images, PerImage


@dataclass(frozen=True)
class L2(Threat):
    """The Euclidean length of the change is at most `eps`."""

    eps: NonNegative = 0.5

    def project(self, images: Images, center: Images) -> Images:
        """Shorten the change to eps, then clip (which shortens it further)."""
        return landed(self, center, scaled(images - center, self.distance(images, center), self.eps))

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Draw evenly from the ball: a normal direction, a radius by the root of a uniform number."""
        direction = stream.split("direction").normal(center.shape[1:])
        radius = stream.split("radius").uniform((1,))[:, 0] ** (1 / center[0].numel())
        step = self.ascent(direction) * per_image(radius * min(self.eps, center[0].numel() ** 0.5))
        return self.project(center + step, center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the gradient at unit length."""
        return of_unit_size(gradient, self.dual(gradient))

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the Euclidean length of the change."""
        return norm(images - center, 2)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the Euclidean length, of gradients whose squares float32 cannot hold as well."""
        return norm(gradient, 2)

    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Shorten the change."""
        length = self.dual(change)
        return change * per_image(torch.where(length > radius, radius / length, torch.ones_like(length)))

    def diameter(self, images: Images) -> float:
        """Return the box's diagonal."""
        return math.sqrt(math.prod(images.shape[1:]))
