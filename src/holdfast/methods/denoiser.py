"""Purifiers without an adversary: HGD (Liao et al., 2018), MagNet (Meng and Chen, 2017), a U-Net alone.

HGD: "Defense against adversarial attacks using high-level representation guided denoiser". Its network answers the
noise; here a network answers the image. MagNet: "a two-pronged defense against adversarial examples".

    Run(Denoiser(vgg19), "unet-b", "cifar10", optimizer=Adam(1e-3))             # HGD, guided by pixels
    holdfast train Denoiser --others runs/vgg19 --model unet-b --data cifar10 --optimizer Adam
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from holdfast.attacks import GaussianNoise
from holdfast.errors import require
from holdfast.fields import NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Update
from holdfast.methods.purifier import Distance, PurifierMethod
from holdfast.models.architecture import Shape
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class Denoiser(PurifierMethod):
    """A purifier that is near the clean image, in pixels or in a classifier's features, and nothing else.

    `FORMS` has HGD's two and MagNet's. The Pix2Pix purifier without its discriminator is one, too.
    """

    pixel: Distance = "l1"
    perceptual: Distance = "l1"
    perceptual_weight: NonNegative = 0.0

    def __post_init__(self) -> None:
        """Refuse no loss at all."""
        super().__post_init__()
        weighed = self.pixel_weight + self.perceptual_weight > 0
        require(weighed, "Denoiser: pixel_weight and perceptual_weight are 0: there is nothing to learn")

    def judges(self, shape: Shape) -> dict[str, nn.Module]:
        """Return none."""
        return {}

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Purify, and draw to the clean images."""
        terms = self.nearness(model(self.shown(batch, memory)), batch.images, memory)
        update(torch.stack(list(terms.values())).sum())
        return terms


FORMS: Mapping[str, Denoiser] = {
    "HGD pixels": Denoiser(),
    "HGD logits": Denoiser(layers=("output",), pixel_weight=0.0, perceptual_weight=1.0),
    "MagNet": Denoiser(attack=GaussianNoise(Linf(1.0), deviation=0.1), pixel="l2"),
}
"""HGD guided by pixels or by the classifier's logits, and MagNet's auto-encoder, which needs no classifier."""
