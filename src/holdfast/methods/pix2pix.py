"""The Pix2Pix purifier (Mezhoudi and Vu, 2022: paper 004, algorithm 2): a conditional GAN that takes an attack away.

The paper's repository holds no code. Where the paper is silent: the discriminator moves first, the purifier then by the
same purified images (as pix2pix, Isola et al., 2017); logits with binary cross-entropy, the discriminator's halved; the
perceptual distance is the mean squared difference, or "norm", the length that algorithm 1 prints.

    Run(Pix2Pix(vgg19), "unet-b", "cifar10", batch=16, epochs=200, optimizer=Adam(1e-4), limit=15_000)
    holdfast train Pix2Pix --others runs/vgg19 --model unet-b --data cifar10 --optimizer Adam --batch 16
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.fields import Count, NonNegative
from holdfast.methods.memory import Memory
from holdfast.methods.method import Update
from holdfast.methods.purifier import PurifierMethod
from holdfast.models.architecture import Shape
from holdfast.models.patch_gan import DISCRIMINATORS
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class Pix2Pix(PurifierMethod):
    """A purifier against a discriminator of patches, near the clean image in pixels and in a classifier's features.

    The default is the paper's final setting, B3; `SETTINGS` has the four of its table 6.
    """

    discriminator: Literal["original", "a", "b"] = "b"
    """That of pix2pix, that without its last block, or the paper's own, which halves the image once."""
    width: Count = 64
    """The channels of the discriminator's first layer."""
    pixel_weight: NonNegative = 10.0
    perceptual_weight: NonNegative = 100.0

    def judges(self, shape: Shape) -> dict[str, nn.Module]:
        """Return the discriminator."""
        return {"discriminator": DISCRIMINATORS[self.discriminator](shape[0], self.width)}

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Move the discriminator, then the purifier, by the same purified images."""
        x, D = batch.images, memory.discriminator
        attacked = self.shown(batch, memory)
        purified = model(attacked)
        real, fake = D(torch.cat([attacked, x], 1)), D(torch.cat([attacked, purified.detach()], 1))
        judged = (says(real, True) + says(fake, False)) / 2
        update(judged, "discriminator")
        fooled = says(D(torch.cat([attacked, purified], 1)), True)
        terms = {"adversarial": fooled, **self.nearness(purified, x, memory)}
        update(torch.stack(list(terms.values())).sum())
        return {"discriminator": judged, **terms}


def says(logits: Tensor, clean: bool) -> Tensor:
    """Return the mean cross-entropy of saying that everything is clean, or purified."""
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(clean)))


SETTINGS: Mapping[str, Pix2Pix] = {
    "A": Pix2Pix(discriminator="a", pixel="l1", pixel_weight=100.0, perceptual_weight=0.0),
    "B1": Pix2Pix(pixel_weight=0.0, perceptual_weight=10.0),
    "B2": Pix2Pix(pixel_weight=0.0),
    "B3": Pix2Pix(),
}
"""Table 6 of the paper, without the classifier: `SETTINGS["B3"].using((vgg19,))`. "A" purifies with unet-a."""
