"""Noise at test time, as Naseer et al. put in front of their purifier: "A self-supervised approach for adversarial
robustness" (2020), whose code calls it dynamic inference.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.box import boxed
from holdfast.defences.defence import Defence
from holdfast.fields import Positive
from holdfast.types import Images


@dataclass(frozen=True)
class Noise(Defence):
    """Adds Gaussian noise that is drawn anew at every call.

    defend(classifier, Noise(0.05), purifier)
    """

    random: ClassVar[bool] = True
    std: Positive = 0.05
    largest: Positive = 16 / 255
    """No pixel is moved further than this; float("inf") leaves the noise as it is drawn."""

    def __call__(self, images: Images) -> Images:
        """Return the images with noise, in [0, 1]."""
        noise = self.std * torch.randn_like(images)
        return boxed(images + noise.clamp(-self.largest, self.largest))
