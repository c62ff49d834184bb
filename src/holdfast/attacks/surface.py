"""The random starts of APGD and FAB (Croce, Hein, 2020): points at one distance, where a threat draws within one."""

import torch

from holdfast.rng import Stream
from holdfast.threats import Linf, NormalisedLinf, Threat, per_image
from holdfast.types import Images


def on_the_surface(threat: Threat, images: Images, radius: float, stream: Stream) -> Images:
    """Return a random point at distance `radius` from each image, in the threat's norm; it may be outside the box.

    The direction is uniform noise in L-inf, in the unit of each channel, and normal noise else, scaled.
    """
    shape = images.shape[1:]
    noise = 2 * stream.uniform(shape) - 1 if isinstance(threat, Linf | NormalisedLinf) else stream.normal(shape)
    noise = noise * threat.unit(images) if isinstance(threat, NormalisedLinf) else noise
    size = threat.distance(noise, torch.zeros_like(noise)).clamp_min(1e-12)
    return images + radius * noise / per_image(size)
