"""What an attack needs to know of a norm: the ball around each image, cut by the box [0, 1]."""

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from holdfast.fields import NonNegative, check_fields
from holdfast.rng import Stream
from holdfast.types import Flags, Images, PerImage

ROUNDING = 5e-7
"""By what share of eps a distance may be larger, for its own roundings."""


def per_image(value: PerImage | Flags) -> Tensor:
    """Shape one number (or flag) an image so that it meets whole images."""
    return value.reshape(-1, 1, 1, 1)


def scaled(perturbation: Tensor, size: PerImage, eps: float) -> Tensor:
    """Shrink the perturbations whose `size` exceeds `eps`; leave the others alone."""
    return perturbation * per_image(torch.where(size > eps, eps / size.clamp_min(1e-30), torch.ones_like(size)))


def of_unit_size(gradient: Tensor, size: PerImage) -> Tensor:
    """Divide each image's gradient by its size; what is zero stays so.

    The gradient of a cross-entropy is as faint as the probability of the wrong classes, down to the end of float32.
    """
    return gradient / per_image(size.clamp_min(torch.finfo(size.dtype).tiny))


def norm(values: Tensor, order: int) -> PerImage:
    """Return the norm of all that belongs to an image, added up in float64.

    How float32 would be added up, and so how it is rounded, differs from processor to processor.
    """
    found: Tensor = torch.linalg.vector_norm(values.flatten(1), order, dim=1, dtype=torch.float64)
    return found.to(values.dtype)


def free(gradient: Tensor, images: Images | None) -> Tensor:
    """Return the gradient without the entries that point out of the box at these images."""
    if images is None:
        return gradient
    blocked = ((images <= 0) & (gradient < 0)) | ((images >= 1) & (gradient > 0))
    return gradient.masked_fill(blocked, 0.0)


def landed(threat: "Threat", center: Images, step: Tensor) -> Images:
    """Return the images `step` away from `center` and cut to [0, 1]; the step lies in the ball.

    Each sum with a pixel is rounded, all one way where images are flat or all steps are equal. Where that leaves the
    ball, it is rounded towards the center.
    """
    moved = (center + step).clamp(0, 1)
    outside = per_image(threat.distance(moved, center) > threat.eps * (1 + ROUNDING))
    return torch.where(outside & ((moved - center).abs() > step.abs()), moved.nextafter(center), moved)


class Threat(ABC):
    """A ball of radius `eps`, in pixels of [0, 1], around each image."""

    eps: NonNegative

    def __post_init__(self) -> None:
        check_fields(self)

    @abstractmethod
    def project(self, images: Images, center: Images) -> Images:
        """Return the images moved into the ball around `center` and into [0, 1]; those inside stay."""

    @abstractmethod
    def random_start(self, center: Images, stream: Stream) -> Images:
        """Return a point of the ball around each image, drawn evenly, then cut to [0, 1]."""

    @abstractmethod
    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the steepest direction of unit size; zero where the gradient is.

        Where `images` are given, norms that move few values leave out those that would step into a wall of the box
        (Tramer and Boneh, 2019).
        """

    @abstractmethod
    def distance(self, images: Images, center: Images) -> PerImage:
        """Return how far each image is from its center."""

    @abstractmethod
    def dual(self, gradient: Tensor) -> PerImage:
        """Return how much a unit step can raise a linear function of this gradient."""

    @abstractmethod
    def cut(self, change: Tensor, radius: PerImage, most: int | None = None) -> Tensor:
        """Return the nearest change (in Euclidean length) whose size is at most `radius`, each image's own.

        `change` has shape (n, c, h, w), `radius` is 0 or more, infinity included; eps and the box play no part. With
        `most`, a number that no radius exceeds, norms that count values look at so many instead of all.
        """

    @abstractmethod
    def diameter(self, images: Images) -> float:
        """Return the radius at which every image of this shape is in the ball of every other."""

    def step(self, share: float = 1.0, steps: float = 1) -> float:
        """Return the size of each of so many steps that together go this share of the radius."""
        return share * self.eps / steps

    def furthest(self, images: Images) -> PerImage:
        """Return the distance to the corner of the box that is furthest from each image."""
        return self.distance((images < 0.5).float(), images)

    def of_radius(self, eps: float) -> "Threat":
        """Return the threat with another radius."""
        return replace(self, eps=eps)  # type: ignore[type-var]


class Sparse(Threat):
    """A norm in which the steepest step moves few values, far, instead of all a little."""

    @abstractmethod
    def corner(self, gradient: Tensor, center: Images) -> Images:
        """Return the point of ball and box where a linear function of this gradient is highest."""
