"""What the attacker may change: a ball around each image, cut by the box [0, 1].

A threat is all that an attack needs to know of a norm, so an algorithm is written once for all of them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.errors import BadValue, require
from holdfast.fields import check_fields
from holdfast.rng import Stream
from holdfast.types import Flags, Images, PerImage

HALVINGS = 30
"""How often an interval of pixel values is halved: to less than a unit in the last place of float32."""

ROUNDING = 5e-7
"""By what share of eps a distance may be larger, for its own roundings."""


def per_image(value: PerImage | Flags) -> Tensor:
    """Shape one number (or flag) an image so that it meets whole images."""
    return value.reshape(-1, 1, 1, 1)


def _scaled(perturbation: Tensor, size: PerImage, eps: float) -> Tensor:
    """Shrink the perturbations whose `size` exceeds `eps`; leave the others alone."""
    return perturbation * per_image(torch.where(size > eps, eps / size.clamp_min(1e-30), torch.ones_like(size)))


def _norm(values: Tensor, order: int) -> PerImage:
    """Return the norm of all that belongs to an image, added up in float64.

    How float32 would be added up, and so how it is rounded, differs from processor to processor.
    """
    found: Tensor = torch.linalg.vector_norm(values.flatten(1), order, dim=1, dtype=torch.float64)
    return found.to(values.dtype)


def _free(gradient: Tensor, images: Images | None) -> Tensor:
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

    eps: float

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.eps >= 0, f"eps = {self.eps}: a radius is 0 or more, in pixels of [0, 1]")

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


@dataclass(frozen=True)
class Linf(Threat):
    """Every pixel may move by at most `eps`."""

    eps: float = 8 / 255

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
        return _norm(gradient, 1)


@dataclass(frozen=True)
class L2(Threat):
    """The Euclidean length of the change is at most `eps`."""

    eps: float = 0.5

    def project(self, images: Images, center: Images) -> Images:
        """Shorten the change to eps, then clip (which shortens it further)."""
        return landed(self, center, _scaled(images - center, self.distance(images, center), self.eps))

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Draw evenly from the ball: a normal direction, a radius by the root of a uniform number."""
        direction = stream.split("direction").normal(center.shape[1:])
        radius = stream.split("radius").uniform((1,))[:, 0] ** (1 / center[0].numel())
        step = self.ascent(direction) * per_image(radius * min(self.eps, center[0].numel() ** 0.5))
        return self.project(center + step, center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the gradient at unit length."""
        return gradient / per_image(self.dual(gradient).clamp_min(1e-30))

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the Euclidean length of the change."""
        return _norm(images - center, 2)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the Euclidean length, of gradients whose squares float32 cannot hold as well."""
        return _norm(gradient, 2)


@dataclass(frozen=True)
class L1(Threat):
    """The changes of all pixels add up to at most `eps`."""

    eps: float = 12.0
    share: float = 0.01
    """The share of the values that one ascent step moves (Tramer and Boneh, 2019)."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        super().__post_init__()
        require(0 < self.share <= 1, f"L1: share = {self.share}, not in (0, 1]")

    def project(self, images: Images, center: Images) -> Images:
        """Return the nearest point of ball and box: every change shrinks by one number and stops at its wall.

        That number is found by halving an interval; what its last digit leaves over is scaled away.
        """
        change = (images - center).flatten(1)
        size, room = change.abs(), torch.where(change > 0, 1 - center.flatten(1), center.flatten(1))
        low, high = torch.zeros_like(size[:, :1]), size.amax(1, keepdim=True)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            over = (size - middle).clamp_min(0).minimum(room).sum(1, keepdim=True) > self.eps
            low, high = torch.where(over, middle, low), torch.where(over, high, middle)
        fits = size.minimum(room).sum(1, keepdim=True) <= self.eps
        shrunk = (size - torch.where(fits, torch.zeros_like(high), high)).clamp_min(0).minimum(room)
        kept = _scaled((change.sign() * shrunk).view_as(center), _norm(shrunk, 1), self.eps)
        return landed(self, center, kept)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Draw evenly from the ball: exponential magnitudes with random signs, scaled to a random radius."""
        shape = center.shape[1:]
        size = -(1 - stream.split("size").uniform(shape)).log()
        sign = (stream.split("sign").uniform(shape) < 0.5).float() * 2 - 1
        radius = stream.split("radius").uniform((1,))[:, 0] ** (1 / center[0].numel())
        total = size.flatten(1).sum(1).clamp_min(1e-30)
        return self.project(center + sign * size * per_image(radius * min(self.eps, center[0].numel()) / total), center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return equal steps on the largest entries, which add up to one."""
        gradient = _free(gradient, images)
        size = gradient.abs().flatten(1)
        count = max(1, round(self.share * size.shape[1]))
        place = size.topk(count, dim=1).indices
        signs = gradient.flatten(1).gather(1, place).sign() / count
        return torch.zeros_like(size).scatter(1, place, signs).view_as(gradient)

    def corner(self, gradient: Tensor, center: Images) -> Images:
        """Return the point of ball and box where a linear function of this gradient is highest.

        The largest entries take their value to its wall, one after another, until eps is spent.
        """
        slope, pixels = gradient.flatten(1), center.flatten(1)
        room = torch.where(slope > 0, 1 - pixels, pixels)
        order = slope.abs().sort(dim=1, descending=True, stable=True).indices
        wanted = room.gather(1, order)
        spent = (self.eps - (wanted.cumsum(1) - wanted)).clamp_min(0).minimum(wanted)
        change = torch.zeros_like(room).scatter(1, order, spent) * slope.sign()
        return self.project(center + change.view_as(center), center)

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return the sum of the changes."""
        return _norm(images - center, 1)

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the largest magnitude."""
        return gradient.abs().flatten(1).amax(1)


@dataclass(frozen=True)
class L0(Threat):
    """At most `eps` values (pixel times channel) may change, by any amount."""

    eps: float = 20

    def __post_init__(self) -> None:
        """Refuse a part of a value."""
        super().__post_init__()
        require(self.eps == math.inf or self.eps % 1 == 0, f"L0 eps = {self.eps}: a count of values is a whole number")

    def project(self, images: Images, center: Images) -> Images:
        """Keep the largest changes and undo the others."""
        images = images.clamp(0, 1)
        size = (images - center).abs().flatten(1)
        count = int(min(self.eps, size.shape[1]))
        place = size.topk(count, dim=1).indices
        kept = torch.zeros_like(size, dtype=torch.bool).scatter(1, place, True).view_as(images)
        return torch.where(kept, images, center)

    def random_start(self, center: Images, stream: Stream) -> Images:
        """Set eps random values to random numbers."""
        shape = center.shape[1:]
        count = int(min(self.eps, center[0].numel()))
        place = stream.split("place").uniform(shape).flatten(1).topk(count, dim=1).indices
        values = stream.split("value").uniform(shape).flatten(1)
        return center.flatten(1).scatter(1, place, values.gather(1, place)).view_as(center)

    def ascent(self, gradient: Tensor, images: Images | None = None) -> Tensor:
        """Return the gradient with its largest entry at one."""
        gradient = _free(gradient, images)
        return gradient / per_image(self.dual(gradient).clamp_min(1e-30))

    def corner(self, gradient: Tensor, center: Images) -> Images:
        """Return the point of ball and box where a linear function of this gradient is highest.

        The eps values that gain most on the way to their walls are at them; one that gains nothing stays.
        """
        slope, pixels = gradient.flatten(1), center.flatten(1)
        wall = (slope > 0).to(pixels.dtype)
        gain = slope * (wall - pixels)
        wall = torch.where(gain > 0, wall, pixels)
        place = gain.topk(int(min(self.eps, gain.shape[1])), dim=1).indices
        return pixels.scatter(1, place, wall.gather(1, place)).view_as(center)

    def distance(self, images: Images, center: Images) -> PerImage:
        """Return how many values changed."""
        return (images != center).flatten(1).sum(1).float()

    def dual(self, gradient: Tensor) -> PerImage:
        """Return the largest magnitude."""
        return gradient.abs().flatten(1).amax(1)


NORMS: Mapping[str, type[Linf | L2 | L1 | L0]] = {"Linf": Linf, "L2": L2, "L1": L1, "L0": L0}
