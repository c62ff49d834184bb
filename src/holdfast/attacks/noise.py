"""Attacks that ask the network nothing: the floor below which no attack should fall."""

from dataclasses import dataclass
from typing import ClassVar

from holdfast.attacks.attack import Attack, full_step
from holdfast.attacks.watched import Watched
from holdfast.fields import NonNegative
from holdfast.rng import Stream
from holdfast.threats import L0, L1, L2, Linf, Threat
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class RandomSign(Attack):
    """A step of full size in a random direction: a random corner of the L-inf ball."""

    gradient_free: ClassVar[bool] = True

    threat: Threat = Linf()
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Step along the ascent direction of normal noise."""
        noise = stream.normal(images.shape[1:])
        return self.threat.project(images + full_step(self.threat) * self.threat.ascent(noise), images)


@dataclass(frozen=True)
class UniformNoise(Attack):
    """A point drawn evenly from the ball."""

    gradient_free: ClassVar[bool] = True

    threat: Threat = Linf()
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Draw the point."""
        return self.threat.random_start(images, stream)


@dataclass(frozen=True)
class GaussianNoise(Attack):
    """Normal noise, projected into the ball."""

    gradient_free: ClassVar[bool] = True
    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, L0)

    threat: Threat = Linf()
    deviation: NonNegative | None = None
    """Standard deviation in pixels; half of eps where none is given."""
    seed: int = 0

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Add the noise."""
        deviation = full_step(self.threat) / 2 if self.deviation is None else self.deviation
        return self.threat.project(images + deviation * stream.normal(images.shape[1:]), images)
