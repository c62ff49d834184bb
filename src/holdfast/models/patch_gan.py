"""Discriminators that judge each patch of an image by itself (Isola et al., 2017), for the purifier of paper 004.

They are parts of methods, so no run names them. On 32x32 pairs of colour images "original" answers 2x2 patches
(2,768,705 parameters), "a", without its last block, 6x6 (666,433), and "b", the paper's own, 9x9 (1,564,481). Paper 004
prints no sizes but "9x9 against 2x2": "a" and "b" are reconstructions.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

from torch import Tensor, nn

from holdfast.models.pixels import bordered, draw_weights
from holdfast.types import Images

SMALLEST = 32
"""The side up to which smaller images get borders."""


class PatchGAN(nn.Module):
    """Convolutions from two images, one behind the other in the channels, to one logit a patch."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)
        draw_weights(self)

    def forward(self, pairs: Images) -> Tensor:
        """Return logits of shape (n, 1, rows, columns): high where a patch looks clean."""
        rows, columns = pairs.shape[2:]
        logits: Tensor = self.parts(bordered(pairs, max(rows, SMALLEST), max(columns, SMALLEST)))
        return logits


def original(channels: int, width: int = 64) -> PatchGAN:
    """Return the discriminator of pix2pix: 4x4 convolutions, three that halve the image and two that do not."""
    return _of_pix2pix(channels, (width, 2 * width, 4 * width, 8 * width), 3)


def shortened(channels: int, width: int = 64) -> PatchGAN:
    """Return the discriminator of pix2pix without its last block."""
    return _of_pix2pix(channels, (width, 2 * width, 4 * width), 2)


def fine(channels: int, width: int = 64, dropout: float = 0.3) -> PatchGAN:
    """Return five convolutions of which the first alone halves the image, with dropout."""
    parts: list[nn.Module] = [nn.Conv2d(2 * channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs in (width, 2 * width, 4 * width):
        convolution = nn.Conv2d(inputs, 2 * inputs, 3, bias=False)
        parts += [convolution, nn.BatchNorm2d(2 * inputs), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
    return PatchGAN(*parts, nn.Conv2d(8 * width, 1, 4, 1, 1))


def _of_pix2pix(channels: int, widths: tuple[int, ...], halving: int) -> PatchGAN:
    parts: list[nn.Module] = [nn.Conv2d(2 * channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for place, (inputs, outputs) in enumerate(pairwise(widths), 2):
        stride = 2 if place <= halving else 1
        convolution = nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False)
        parts += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    return PatchGAN(*parts, nn.Conv2d(widths[-1], 1, 4, 1, 1))


DISCRIMINATORS: Mapping[str, Callable[[int, int], PatchGAN]] = {"a": shortened, "b": fine, "original": original}
"""By the names of paper 004: from the channels of one image and a width to the discriminator."""
